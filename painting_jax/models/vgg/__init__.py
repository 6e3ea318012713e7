"""VGG16 and AlexNet, the networks of LPIPS."""

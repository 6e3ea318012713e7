"""VGG16 and AlexNet, the trunks of LPIPS."""

"""Training and sampling of Wan on one GPU, ours and that of diffusers side by side."""

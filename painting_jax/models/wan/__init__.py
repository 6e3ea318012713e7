"""Wan (arXiv 2503.20314): transformer, video autoencoders, conditioning, published names."""

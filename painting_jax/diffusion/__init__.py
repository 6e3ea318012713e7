"""Reverse painting, cross-media augmentation, flow matching, guidance, samplers: pure functions."""

"""Reverse painting, cross-media augmentation, flow matching, guidance and samplers: pure functions of arrays."""

"""Reverse painting, cross-media augmentation, flow matching, guidance and samplers."""

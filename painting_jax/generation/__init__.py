"""From a picture to its painting process: one sampler driver, its options, its outputs."""

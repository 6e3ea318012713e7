"""Experiments, one a file; each imports painting_jax alone."""

"""Experiments, one per file. They import only painting_jax."""

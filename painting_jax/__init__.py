"""Video diffusion models in JAX that learn how people paint."""

__version__ = "0.1.0"

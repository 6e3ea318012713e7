"""The default: two million parameters, 64x64 pixels, 9 frames; eight minutes on two CPU cores."""

from painting_jax.config import get_config

__all__ = ["get_config"]

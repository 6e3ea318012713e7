"""The builder of recordings, in the place where TFDS looks for it."""

from painting_jax.data.builders import recorded_processes
from painting_jax.data.builders.recorded_processes import Config

__all__ = ["Builder", "Config"]


class Builder(recorded_processes.Builder):
    __doc__ = recorded_processes.Builder.__doc__

"""The plain code that TPUs and GPUs run, on this machine."""

import contextlib
from unittest import mock

from painting_jax.models import fast_on_cpu


def on_other_platforms(really: bool = True) -> contextlib.AbstractContextManager:
    """Runs the plain code instead of `fast_on_cpu`."""
    if not really:
        return contextlib.nullcontext()
    return mock.patch.object(fast_on_cpu, "enabled", return_value=False)

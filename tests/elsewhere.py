"""What is done on other platforms than this machine's, done here."""

import contextlib
from unittest import mock

import jax


def on_other_platforms(really: bool = True) -> contextlib.AbstractContextManager:
    """Where a CPU has a way of its own, the other way is taken."""
    if not really:
        return contextlib.nullcontext()
    return mock.patch.object(
        jax.lax, "platform_dependent", lambda *given, cpu, default: default(*given)
    )

"""The devices that a program is for, which need not be those of this machine."""

from typing import Any

import jax


def target_device() -> Any:
    """Platform and kind of the current mesh's devices (`jax.set_mesh`), without one of JAX's.

    A program for TPUs can so be compiled where there are none.
    """
    mesh = jax.sharding.get_abstract_mesh()
    return jax.devices()[0] if mesh.empty else mesh.abstract_device

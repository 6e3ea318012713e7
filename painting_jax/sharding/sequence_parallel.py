"""Attention over tokens that are spread over the devices of the mesh's sequence axis.

Ulysses (DeepSpeed, arXiv 2309.14509): before attention, each device gives away its tokens' heads
but its own, and gets its heads of all tokens. Ring attention (arXiv 2310.01889): keys and values
go round, and each device adds up what its queries find. Ulysses moves less, but no more devices
than there are heads can share them. So the two are nested: the devices of a group share the heads,
and the groups make a ring.

The functions run on each device by itself, inside `shard_map`.

Shapes: B batch, N heads, S tokens of a device, L keys of a device, K head width.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Bool, Float

# Names by which `models.remat` keeps outputs of attention, and their statistics.
SELF_ATTENTION, CROSS_ATTENTION = "self_attention", "cross_attention"

Counts = Callable[[Array | int, int], Bool[Array, " l"] | None]


@dataclasses.dataclass(frozen=True)
class Kernel:
    """The two halves of attention on one device, see `plain_attention`.

    Attributes:
      forward: function (q, k, v, counts) -> (output, log total).
      backward: function (q, k, v, counts, output, log total, gradient) -> gradients of q, k, v.
    """

    forward: Callable
    backward: Callable


@dataclasses.dataclass(frozen=True)
class Ring:
    """The groups of devices along the sequence axis.

    Attributes:
      axis: name of the axis.
      devices: number of devices along it.
      groups: number of groups R that make the ring; 1 = Ulysses alone.
    """

    axis: str = "sequence"
    devices: int = 1
    groups: int = 1

    @property
    def sharing(self) -> int:
        """Devices of a group, which share the heads."""
        return self.devices // self.groups

    @property
    def members(self) -> list[list[int]]:
        """Neighbours share heads: theirs is the heavier traffic."""
        return [
            list(range(first, first + self.sharing))
            for first in range(0, self.devices, self.sharing)
        ]

    def next(self, x):
        """What the group behind this one has, of every array of a tree."""
        to = [(i, (i + self.sharing) % self.devices) for i in range(self.devices)]
        return jax.tree.map(lambda leaf: jax.lax.ppermute(leaf, self.axis, to), x)


def least_ring(devices: int, heads: int) -> int:
    """The smallest number of groups with which the devices of each group divide the heads."""
    return devices // math.gcd(devices, heads)


def attend(
    local: Callable,
    q_BSNK: Float[Array, "b s n k"],
    k_BLNK: Float[Array, "b l n k"],
    v_BLNK: Float[Array, "b l n k"],
    ring: Ring,
) -> Float[Array, "b s n k"]:
    """Shares the heads within each group of the ring (Ulysses).

    Args:
      local: attention of this device's heads to its group's keys, function (q, k, v) with the heads
        in front.
      q_BSNK: queries of this device's tokens.
      k_BLNK: keys of this device's tokens.
      v_BLNK: values of this device's tokens.
      ring: the devices.
    """
    q, k, v = (_heads_of_group(x, ring) for x in (q_BSNK, k_BLNK, v_BLNK))
    return _tokens_of_device(local(q, k, v), ring)


def _heads_of_group(x_BSNK, ring: Ring):
    """From all heads of the device's tokens to its heads of the group's tokens, heads first."""
    x_BNSK = x_BSNK.swapaxes(1, 2)
    if ring.sharing == 1:
        return x_BNSK
    return jax.lax.all_to_all(x_BNSK, ring.axis, 1, 2, axis_index_groups=ring.members, tiled=True)


def _tokens_of_device(x_BNSK, ring: Ring):
    """The inverse of `_heads_of_group`."""
    if ring.sharing > 1:
        x_BNSK = jax.lax.all_to_all(
            x_BNSK, ring.axis, 2, 1, axis_index_groups=ring.members, tiled=True
        )
    return x_BNSK.swapaxes(1, 2)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5, 6))
def around(
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
    counts: Counts,
    kernel: Kernel,
    ring: Ring,
    name: str,
) -> Float[Array, "b n s k"]:
    """Attention to the keys of all groups of the ring; of one group, simply attention.

    Args:
      q_BNSK: queries of this device.
      k_BNLK: keys of this group.
      v_BNLK: values of this group.
      counts: function (first token, number of tokens) -> which of these tokens count; None = all.
      kernel: attention on one device.
      ring: the devices.
      name: name by which the output and its statistics can be kept.
    """
    return _ring_forward(q_BNSK, k_BNLK, v_BNLK, counts, kernel, ring, name)[0]


def _ring_forward(q_BNSK, k_BNLK, v_BNLK, counts, kernel: Kernel, ring: Ring, name: str):
    out, log_total = _round_forward(q_BNSK, k_BNLK, v_BNLK, counts, kernel, ring)
    out = checkpoint_name(out, name)
    log_total = checkpoint_name(log_total, name)
    return out, (q_BNSK, k_BNLK, v_BNLK, out, log_total)


def _round_forward(q_BNSK, k_BNLK, v_BNLK, counts, kernel: Kernel, ring: Ring):
    length = k_BNLK.shape[2]
    if ring.groups == 1:
        return kernel.forward(q_BNSK, k_BNLK, v_BNLK, counts(0, length))
    first = _group(ring)

    def add(carry, step):
        keys, out, log_total = carry
        # Sent before they are used, so that both can happen at a time.
        sent = ring.next(keys)
        group = (first - step) % ring.groups
        out_part, log_part = kernel.forward(q_BNSK, *keys, counts(group * length, length))
        log_both = jnp.logaddexp(log_total, log_part)
        share, share_part = (jnp.exp(log - log_both)[..., None] for log in (log_total, log_part))
        return (sent, out * share + out_part * share_part, log_both), None

    nothing = jnp.zeros(q_BNSK.shape, jnp.float32), jnp.full(q_BNSK.shape[:3], -1e30)
    (_, out, log_total), _ = jax.lax.scan(
        add, ((k_BNLK, v_BNLK), *nothing), jnp.arange(ring.groups)
    )
    return out.astype(q_BNSK.dtype), log_total


def _ring_backward(counts, kernel: Kernel, ring: Ring, name: str, kept, grad_BNSK):
    del name
    q_BNSK, k_BNLK, v_BNLK, out, log_total = kept
    length = k_BNLK.shape[2]
    if ring.groups == 1:
        gradients = kernel.backward(
            q_BNSK, k_BNLK, v_BNLK, counts(0, length), out, log_total, grad_BNSK
        )
        return _like(gradients, (q_BNSK, k_BNLK, v_BNLK))
    first = _group(ring)

    def add(carry, step):
        keys, of_keys, q_grad = carry
        group = (first - step) % ring.groups
        q_part, *of_keys_part = kernel.backward(
            q_BNSK, *keys, counts(group * length, length), out, log_total, grad_BNSK
        )
        of_keys = jax.tree.map(jnp.add, of_keys, tuple(of_keys_part))
        return (*ring.next((keys, of_keys)), q_grad + q_part), None

    zeros = jnp.zeros(k_BNLK.shape, jnp.float32)
    start = ((k_BNLK, v_BNLK), (zeros, zeros), jnp.zeros(q_BNSK.shape, jnp.float32))
    # After a whole round, the gradients of keys and values are where these came from.
    (_, of_keys, q_grad), _ = jax.lax.scan(add, start, jnp.arange(ring.groups))
    return _like((q_grad, *of_keys), (q_BNSK, k_BNLK, v_BNLK))


around.defvjp(_ring_forward, _ring_backward)


def _group(ring: Ring) -> Array:
    return jax.lax.axis_index(ring.axis) // ring.sharing


def _like(gradients, arrays):
    return tuple(g.astype(x.dtype) for g, x in zip(gradients, arrays, strict=True))

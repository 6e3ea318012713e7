"""Rematerialisation of a network's blocks: what is kept of the forward pass for the backward pass.

What is not kept is computed again. The input of each block is always kept.
"""

import dataclasses
from collections.abc import Callable

import jax

from painting_jax.sharding.sequence_parallel import SELF_ATTENTION

FEED_FORWARD = "feed_forward"  # Output of a block's feed-forward.
PROJECTIONS = "projections"  # Queries, keys and values of self-attention as they are projected.


@dataclasses.dataclass(frozen=True)
class Policy:
    """What is kept of each block besides its input.

    Attributes:
      kept: the same in words.
      saveable: policy of `jax.checkpoint`; None keeps everything.
      widths: size of what devices keep, in widths of the model; None = not known.
    """

    kept: str
    saveable: Callable | None
    widths: int | None


_policies = jax.checkpoint_policies

POLICIES: dict[str, Policy] = {
    "none": Policy("everything", None, None),
    "full": Policy("nothing", _policies.nothing_saveable, 0),
    "attention": Policy(
        "the output of self-attention", _policies.save_only_these_names(SELF_ATTENTION), 1
    ),
    "attention_ffn": Policy(
        "the outputs of self-attention and feed-forward",
        _policies.save_only_these_names(SELF_ATTENTION, FEED_FORWARD),
        2,
    ),
    "attention_projections": Policy(
        "the output of self-attention, and its queries, keys and values as they are projected",
        _policies.save_only_these_names(SELF_ATTENTION, PROJECTIONS),
        4,
    ),
    "offload": Policy(
        "the output of self-attention, in the host's memory",
        _policies.save_and_offload_only_these_names(
            names_which_can_be_saved=[],
            names_which_can_be_offloaded=[SELF_ATTENTION],
            offload_src="device",
            offload_dst="pinned_host",
        ),
        0,
    ),
}


def rematerialised(block: Callable, name: str) -> Callable:
    """A block (carry, parameters) -> (carry, None) of a scan, with a policy of `POLICIES`.

    Args:
      block: the block.
      name: name of the policy.
    """
    saveable = POLICIES[name].saveable
    if saveable is None:
        return block
    # A scan keeps XLA from merging the two computations as it is.
    return jax.checkpoint(block, prevent_cse=False, policy=saveable)

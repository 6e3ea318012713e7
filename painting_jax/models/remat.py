"""Rematerialisation of a network's blocks: what is kept of the forward pass for the backward pass.

What is not kept is computed again. The input of each block is always kept.
"""

from collections.abc import Callable

import jax

from painting_jax.sharding.sequence_parallel import SELF_ATTENTION

FEED_FORWARD = "feed_forward"  # Output of a block's feed-forward.

_policies = jax.checkpoint_policies

# Name -> policy of `jax.checkpoint`; all but "none", which keeps everything.
_POLICIES = {
    "full": _policies.nothing_saveable,
    "attention": _policies.save_only_these_names(SELF_ATTENTION),
    "attention_ffn": _policies.save_only_these_names(SELF_ATTENTION, FEED_FORWARD),
    "offload": _policies.save_and_offload_only_these_names(
        names_which_can_be_saved=[],
        names_which_can_be_offloaded=[SELF_ATTENTION],
        offload_src="device",
        offload_dst="pinned_host",
    ),
}

# Name -> what is kept of each block besides its input, in words and in widths of the model.
KEPT: dict[str, str] = {
    "none": "everything",
    "full": "nothing",
    "attention": "the output of self-attention",
    "attention_ffn": "the outputs of self-attention and feed-forward",
    "offload": "the output of self-attention, in the host's memory",
}
WIDTHS: dict[str, int] = {"full": 0, "attention": 1, "attention_ffn": 2, "offload": 0}


def rematerialised(block: Callable, name: str) -> Callable:
    """A block (carry, parameters) -> (carry, None) of a scan, with a policy by its name in `KEPT`.

    Args:
      block: the block.
      name: name of the policy.
    """
    if name == "none":
        return block
    # A scan keeps XLA from merging the two computations as it is.
    return jax.checkpoint(block, prevent_cse=False, policy=_POLICIES[name])

"""cuDNN's fused attention for NVIDIA GPUs, in half precision.

The kernel's halves are called apart. The statistics of the forward pass can so be kept across
rematerialisation, and ring attention can run the backward pass for those of all keys. JAX has no
public names for the halves; its public function rounds the statistics, and refuses an odd number of
tokens in training, which cuDNN does not.

Shapes: B batch, N heads, S queries, L keys, K head width.
"""

import functools
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

WIDEST = 128  # channels of a head
# Arrays behind queries, keys and values: bias, lengths, offsets and pages, of which there are none.
_UNUSED = 7


def takes(device_kind: str, dtype: jnp.dtype, width: int) -> bool:
    """Whether the kernels are made for a kind of device, a dtype, and heads of a width."""
    half = dtype in (jnp.bfloat16, jnp.float16)
    return "NVIDIA" in device_kind and half and width <= WIDEST and width % 8 == 0


def forward(
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
    counts_L: None = None,
) -> tuple[Float[Array, "b n s k"], Float[Array, "b n s"]]:
    """As `plain_attention.forward`, of keys that all count."""
    del counts_L
    # Tokens first: so the projections make them, and the kernel takes them without a copy.
    q, k, v = (x.swapaxes(1, 2) for x in (q_BNSK, k_BNLK, v_BNLK))
    out, log_total_BNS = _kernels()._dot_product_attention_fwd(
        q,
        k,
        v,
        *_unused(q),
        **_settings(q),
        cudnn_version=_kernels().check_cudnn_version(),
        return_residual=True,
    )
    return out.swapaxes(1, 2), log_total_BNS


def backward(
    q_BNSK: Float[Array, "b n s k"],
    k_BNLK: Float[Array, "b n l k"],
    v_BNLK: Float[Array, "b n l k"],
    counts_L: None,
    out_BNSK: Float[Array, "b n s k"],
    log_total_BNS: Float[Array, "b n s"],
    grad_BNSK: Float[Array, "b n s k"],
) -> tuple[Float[Array, "b n s k"], Float[Array, "b n l k"], Float[Array, "b n l k"]]:
    """As `plain_attention.backward`, of keys that all count, in the dtype of the queries."""
    del counts_L
    q, k, v, out, grad = (
        x.swapaxes(1, 2) for x in (q_BNSK, k_BNLK, v_BNLK, out_BNSK, grad_BNSK.astype(q_BNSK.dtype))
    )
    kept = (q, k, v, *_unused(q), log_total_BNS, out)
    gradients = _kernels()._dot_product_attention_bwd_rule(
        **_settings(q), is_training=True, return_residual=False, res=kept, grad_output=grad
    )
    q_grad, k_grad, v_grad = (x.swapaxes(1, 2) for x in gradients[:3])
    return q_grad, k_grad, v_grad


def _unused(q_BSNK) -> list[Array]:
    return [jnp.zeros(0, q_BSNK.dtype)] * _UNUSED


def _settings(q_BSNK) -> dict[str, Any]:
    """Neither dropout nor bias, mask or window."""
    return {
        "scale": q_BSNK.shape[-1] ** -0.5,
        "seed": 42,
        "dropout_rate": 0.0,
        "variadic_args": (False, False),
        "mask_type": _kernels().MaskType.NO_MASK,
        "layout": _kernels().AttentionLayout.BTNH.value,
        "sliding_window_length": None,
    }


@functools.cache
def _kernels():
    # Private: where a version of JAX has moved it, all other devices still work.
    from jax._src.cudnn import fused_attention_stablehlo  # noqa: PLC0415

    return fused_attention_stablehlo

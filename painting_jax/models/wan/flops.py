"""Work of a Wan transformer: tokens of a video and FLOPs of a forward pass."""

import math

from painting_jax.models.codec import Codec
from painting_jax.models.wan.transformer import WanConfig


def tokens(config: WanConfig, codec: Codec, frames: int, height: int, width: int) -> int:
    """Transformer tokens of one video of that many pixels."""
    latent_frames = 1 + (frames - 1) // codec.temporal
    extents = (latent_frames, height // codec.spatial, width // codec.spatial)
    return math.prod(extent // patch for extent, patch in zip(extents, config.patch, strict=True))


def forward_flops(wan: WanConfig, video_tokens: int, text_tokens: int) -> float:
    """Multiply-adds, counted as two, of the matrix products of one sample's forward pass."""
    dim, patch = wan.dim, math.prod(wan.patch)
    context = _context(wan, text_tokens)
    self_attention = 4 * video_tokens * dim**2
    cross_attention = (2 * video_tokens + 2 * context) * dim**2
    feed_forward = 2 * video_tokens * dim * wan.ffn_dim
    ends = video_tokens * dim * patch * (wan.in_channels + wan.out_channels)
    with_weights = wan.layers * (self_attention + cross_attention + feed_forward) + ends
    return 2.0 * with_weights + attention_flops(wan, video_tokens, text_tokens)


def attention_flops(wan: WanConfig, video_tokens: int, text_tokens: int) -> float:
    """Those of the products of queries with keys, and of the result with values."""
    keys = video_tokens + _context(wan, text_tokens)
    return 4.0 * wan.layers * video_tokens * keys * wan.dim


def _context(wan: WanConfig, text_tokens: int) -> int:
    return text_tokens + (wan.medium_tokens if wan.media else 0)

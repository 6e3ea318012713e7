"""The Wan video diffusion transformer, with additional conditions for painting.

Names and maths are those of Wan 2.1 and 2.2 (arXiv 2503.20314), so that the published weights fit.
The reference implementation is `WanTransformer3DModel` of diffusers. The additional conditions are
optional, and none has an effect before it is trained: the progress of each frame and a summary of
the conditions in the modulation, medium tokens in cross-attention, and a segment map added to the
tokens.

Shapes: B batch, T frames, H W height and width, C channels of the latents; t h w the grid of
patches, S = t h w tokens; D width, N heads, K head width; L text tokens, M media.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from painting_jax.models.block_residual import Reuse, through_blocks
from painting_jax.models.head_projections import from_heads, to_heads
from painting_jax.models.layers import (
    EmbeddingMLP,
    LayerNorm,
    RMSNorm,
    gated,
    layer_norm,
    linear,
    modulate,
    patchify,
    stack,
    unpatchify,
)
from painting_jax.models.remat import FEED_FORWARD, PROJECTIONS, rematerialised
from painting_jax.sharding.attention import FASTEST, Strategy, attention
from painting_jax.sharding.padding import Padding
from painting_jax.sharding.rules import constrain

_ROPE_THETA = 10_000.0
_MODULATIONS = 6  # shift, scale and gate for self-attention and for the feed-forward


@dataclasses.dataclass(frozen=True)
class WanConfig:
    """Config of a Wan transformer.

    Attributes:
      dim: D, width of the tokens.
      layers: number of blocks.
      heads: N; the head width is dim / heads.
      ffn_dim: hidden width of the feed-forward.
      in_channels: channels of the latents, plus those of a concatenated image condition.
      out_channels: channels of the prediction; 0 = the model has no output projection.
      patch: size of a patch of the latent video along time, height and width.
      text_dim: width of the text embeddings.
      image_dim: width of the CLIP image tokens; 0 = the model takes none.
      freq_dim: number of sinusoids of the noise level.
      media: M, number of media; 0 = the model takes no medium.
      medium_tokens: number of tokens per medium.
      segment_channels: channels of the features of the segment map; 0 = the model takes none.
      progress: whether the progress of each frame is added to the embedding of the noise level.
      summary_dim: width of a summary of the conditions that is added there as well; 0 = none.
    """

    dim: int
    layers: int
    heads: int
    ffn_dim: int
    in_channels: int
    out_channels: int
    patch: tuple[int, int, int] = (1, 2, 2)
    text_dim: int = 4096
    image_dim: int = 0
    freq_dim: int = 256
    media: int = 0
    medium_tokens: int = 4
    segment_channels: int = 0
    progress: bool = False
    summary_dim: int = 0

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


SIZES: dict[str, WanConfig] = {
    "wan21_t2v_1_3b": WanConfig(1536, 30, 12, 8960, in_channels=16, out_channels=16),
    "wan21_t2v_14b": WanConfig(5120, 40, 40, 13824, in_channels=16, out_channels=16),
    "wan21_i2v_14b": WanConfig(
        5120, 40, 40, 13824, in_channels=36, out_channels=16, image_dim=1280
    ),
    # Each of the two experts.
    "wan22_i2v_a14b": WanConfig(5120, 40, 40, 13824, in_channels=36, out_channels=16),
    "wan22_ti2v_5b": WanConfig(3072, 30, 24, 14336, in_channels=48, out_channels=48),
}


class FeedForward(nnx.Module):
    """proj_in, GELU, proj_out."""

    def __init__(self, inputs: int, hidden: int, outputs: int, *, approximate: bool, rngs, dtype):
        self.proj_in = linear(inputs, hidden, rngs=rngs, dtype=dtype)
        self.proj_out = linear(hidden, outputs, rngs=rngs, dtype=dtype)
        self.approximate = approximate

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        # To save memory, the backward pass keeps the input of GELU alone, and not its six steps.
        @jax.checkpoint
        def out(hidden):
            return self.proj_out(jax.nn.gelu(hidden, approximate=self.approximate))

        return out(self.proj_in(x))


class ImageEmbedder(nnx.Module):
    """CLIP image tokens to the width of the transformer."""

    def __init__(self, inputs: int, dim: int, *, rngs, dtype):
        self.norm1 = nnx.LayerNorm(inputs, epsilon=1e-5, rngs=rngs)
        self.ff = FeedForward(inputs, inputs, dim, approximate=False, rngs=rngs, dtype=dtype)
        self.norm2 = nnx.LayerNorm(dim, epsilon=1e-5, rngs=rngs)

    def __call__(self, image_BLI: Float[Array, "b l i"]) -> Float[Array, "b l d"]:
        return self.norm2(self.ff(self.norm1(image_BLI)))


class ConditionEmbedder(nnx.Module):
    """Embeds noise level, progress, text and image for the blocks.

    The modulation, and what it is made of, is computed in float32 whatever the dtype, as in Wan. It
    multiplies all tokens, so that its rounding would be the same error in all of them.
    """

    def __init__(self, config: WanConfig, *, rngs, dtype):
        dim, precise = config.dim, jnp.float32
        self.freq_dim = config.freq_dim
        self.time_embedder = EmbeddingMLP(
            config.freq_dim, dim, jax.nn.silu, rngs=rngs, dtype=precise
        )
        self.time_proj = linear(dim, _MODULATIONS * dim, rngs=rngs, dtype=precise)
        self.text_embedder = EmbeddingMLP(
            config.text_dim, dim, lambda x: jax.nn.gelu(x, approximate=True), rngs=rngs, dtype=dtype
        )
        if config.image_dim:
            self.image_embedder = ImageEmbedder(config.image_dim, dim, rngs=rngs, dtype=dtype)
        if config.progress:
            self.progress_embedder = EmbeddingMLP(
                config.freq_dim, dim, jax.nn.silu, rngs=rngs, dtype=precise, zero=True
            )
        if config.summary_dim:
            self.summary_embedder = EmbeddingMLP(
                config.summary_dim, dim, jax.nn.silu, rngs=rngs, dtype=precise, zero=True
            )

    def time(
        self,
        timestep_BF: Float[Array, "b f"],
        progress_BT: Float[Array, "b t"] | None,
        summary_BE: Float[Array, "b e"] | None,
    ) -> tuple[Float[Array, "b t d"], Float[Array, "b t 6 d"]]:
        """Embeds the noise level in 0..1000, one per sample (F = 1) or per frame (F = T).

        Returns:
          The embedding, and the modulation that is made of it; both in float32.
        """
        # Accelerators multiply float32 in less by default.
        with jax.default_matmul_precision("float32"):
            time_BTD = self.time_embedder(sinusoids(timestep_BF, self.freq_dim))
            if progress_BT is not None:
                # Scaled to the range of the noise level, which the sinusoids are made for.
                time_BTD = time_BTD + self.progress_embedder(
                    sinusoids(1000 * progress_BT, self.freq_dim)
                )
            if summary_BE is not None:
                time_BTD = time_BTD + self.summary_embedder(summary_BE)[:, None]
            modulation = self.time_proj(jax.nn.silu(time_BTD))
        return time_BTD, modulation.reshape(*time_BTD.shape[:2], _MODULATIONS, -1)


class Attention(nnx.Module):
    """Multi-head attention whose queries and keys are RMS-normalised over all heads at once.

    In cross-attention, the queries attend separately to the text (`to_k`, `to_v`), the image and
    the medium (the other projections), and the results are added.
    """

    def __init__(self, config: WanConfig, *, cross: bool, rngs, dtype, strategy: Strategy):
        dim = config.dim
        self.strategy = strategy
        self.heads = config.heads
        self.to_q = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.to_k = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.to_v = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.to_out = linear(dim, dim, rngs=rngs, dtype=dtype)
        self.norm_q = RMSNorm(dim)
        self.norm_k = RMSNorm(dim)
        if cross and config.image_dim:
            self.add_k_proj = linear(dim, dim, rngs=rngs, dtype=dtype)
            self.add_v_proj = linear(dim, dim, rngs=rngs, dtype=dtype)
            self.norm_added_k = RMSNorm(dim)
        if cross and config.media:
            self.medium_k_proj = linear(dim, dim, rngs=rngs, dtype=dtype)
            # The values start at zero, so that a pretrained model is unchanged at first.
            self.medium_v_proj = linear(dim, dim, rngs=rngs, dtype=dtype, zero=True)
            self.norm_medium_k = RMSNorm(dim)

    def _attend(self, q_BSNK, k_BLNK, v_BLNK, padding=None) -> Float[Array, "b s n k"]:
        return attention(q_BSNK, k_BLNK, v_BLNK, padding, self.strategy)

    def self_attention(
        self, x_BSD: Float[Array, "b s d"], rope: "Rope", padding: Padding
    ) -> Float[Array, "b s d"]:
        q_BSNK, k_BSNK, v_BSNK = (
            checkpoint_name(to_heads(layer, x_BSD, self.heads), PROJECTIONS)
            for layer in (self.to_q, self.to_k, self.to_v)
        )
        q_BSNK = rotate(self.norm_q.of_heads(q_BSNK), rope)
        k_BSNK = rotate(self.norm_k.of_heads(k_BSNK), rope)
        return from_heads(self.to_out, self._attend(q_BSNK, k_BSNK, v_BSNK, padding))

    def cross_attention(
        self,
        x_BSD: Float[Array, "b s d"],
        text_BLD: Float[Array, "b l d"],
        image_BLD: Float[Array, "b i d"] | None,
        medium_BLD: Float[Array, "b m d"] | None,
    ) -> Float[Array, "b s d"]:
        q_BSNK = self.norm_q.of_heads(to_heads(self.to_q, x_BSD, self.heads))

        def attended(to_k, to_v, norm_k, tokens_BLD):
            k_BLNK, v_BLNK = (to_heads(layer, tokens_BLD, self.heads) for layer in (to_k, to_v))
            return self._attend(q_BSNK, norm_k.of_heads(k_BLNK), v_BLNK)

        out_BSNK = attended(self.to_k, self.to_v, self.norm_k, text_BLD)
        if image_BLD is not None:
            added = self.add_k_proj, self.add_v_proj, self.norm_added_k
            out_BSNK += attended(*added, image_BLD)
        if medium_BLD is not None:
            of_medium = self.medium_k_proj, self.medium_v_proj, self.norm_medium_k
            out_BSNK += attended(*of_medium, medium_BLD)
        return from_heads(self.to_out, out_BSNK)


class Block(nnx.Module):
    """Self-attention, cross-attention and feed-forward, modulated by noise level and progress."""

    def __init__(self, config: WanConfig, *, rngs: nnx.Rngs, dtype, strategy: Strategy):
        dim = config.dim
        self.attn1 = Attention(config, cross=False, rngs=rngs, dtype=dtype, strategy=strategy)
        self.attn2 = Attention(config, cross=True, rngs=rngs, dtype=dtype, strategy=strategy)
        self.norm2 = LayerNorm(dim)
        self.ffn = FeedForward(dim, config.ffn_dim, dim, approximate=True, rngs=rngs, dtype=dtype)
        self.scale_shift_table = nnx.Param(
            jax.random.normal(rngs.params(), (_MODULATIONS, dim)) / math.sqrt(dim)
        )

    def __call__(
        self,
        x_BSD: Float[Array, "b s d"],
        modulation_BT6D: Float[Array, "b t 6 d"],
        context: "Context",
        rope: "Rope",
        padding: Padding,
    ) -> Float[Array, "b s d"]:
        modulation = self.scale_shift_table[...] + modulation_BT6D
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = jnp.moveaxis(modulation, 2, 0)
        dtype = x_BSD.dtype

        h_BSD = modulate(layer_norm(x_BSD), shift, scale).astype(dtype)
        x_BSD = gated(x_BSD, self.attn1.self_attention(h_BSD, rope, padding), gate)

        h_BSD = self.norm2(x_BSD)
        x_BSD = x_BSD + self.attn2.cross_attention(
            h_BSD, context.text_BLD, context.image_BLD, context.medium_BLD
        )

        h_BSD = modulate(layer_norm(x_BSD), ffn_shift, ffn_scale).astype(dtype)
        update_BSD = checkpoint_name(self.ffn(h_BSD), FEED_FORWARD)
        return constrain(gated(x_BSD, update_BSD, ffn_gate), "tokens")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Context:
    """The tokens that cross-attention attends to, at the width of the transformer."""

    text_BLD: Float[Array, "b l d"]
    image_BLD: Float[Array, "b i d"] | None
    medium_BLD: Float[Array, "b m d"] | None


class WanTransformer(nnx.Module):
    """Predicts the velocity or the clean sample of a noisy latent video.

    Args:
      config: config.
      rngs: random numbers for the initial parameters.
      dtype: dtype of the computation; parameters, normalisations and modulations are float32.
      remat: what of each block is kept for the backward pass, a name in `remat.POLICIES`.
      strategy: how attention is computed.
    """

    def __init__(
        self,
        config: WanConfig,
        *,
        rngs: nnx.Rngs,
        dtype=jnp.float32,
        remat: str = "full",
        strategy: Strategy = FASTEST,
    ):
        self.config = config
        self.dtype = dtype
        self.remat = remat
        dim, patch = config.dim, math.prod(config.patch)
        self.patch_embedding = linear(patch * config.in_channels, dim, rngs=rngs, dtype=dtype)
        self.condition_embedder = ConditionEmbedder(config, rngs=rngs, dtype=dtype)
        if config.media:
            self.medium_table = nnx.Param(
                jax.random.normal(rngs.params(), (config.media, config.medium_tokens, dim))
            )
        if config.segment_channels:
            self.segment_embedding = linear(
                math.prod(config.patch[1:]) * config.segment_channels,
                dim,
                rngs=rngs,
                dtype=dtype,
                zero=True,
            )

        self.blocks = stack(Block, config, rngs=rngs, dtype=dtype, strategy=strategy)
        if config.out_channels:
            self.proj_out = linear(dim, patch * config.out_channels, rngs=rngs, dtype=dtype)
        self.scale_shift_table = nnx.Param(
            jax.random.normal(rngs.params(), (2, dim)) / math.sqrt(dim)
        )

    def __call__(self, *latents_time_text, **conditions) -> Float[Array, "b t h w o"]:
        """The prediction, float32, in the size of the latents; takes the arguments of `tokens`."""
        return self.project(self.tokens(*latents_time_text, **conditions)[0])

    def project(self, tokens_BthwD: Float[Array, "b t2 h2 w2 d"]) -> Float[Array, "b t h w o"]:
        """The prediction from the tokens of `tokens`, float32."""
        return unpatchify(self.proj_out(tokens_BthwD).astype(jnp.float32), self.config.patch)

    def tokens(
        self,
        latents_BTHWC: Float[Array, "b t h w c"],
        timestep_BF: Float[Array, "b f"],
        text_BLD: Float[Array, "b l text_dim"],
        *,
        image_BLD: Float[Array, "b i image_dim"] | None = None,
        medium_BM: Float[Array, "b m"] | None = None,
        segments_BHWC: Float[Array, "b h w s"] | None = None,
        progress_BT: Float[Array, "b t"] | None = None,
        summary_BE: Float[Array, "b summary_dim"] | None = None,
        reuse: Reuse | None = None,
    ) -> tuple[Float[Array, "b t2 h2 w2 d"], Float[Array, "b tokens d"]]:
        """The tokens after the last block, normalised and modulated; and the blocks' residual.

        Args:
          latents_BTHWC: noisy latents, concatenated with the image condition if the model has one.
            Sizes are multiples of the patch.
          timestep_BF: noise level in 0..1000, one per sample (F = 1) or per latent frame (F = T).
          text_BLD: text embeddings, padded as in training (Wan: with zeros to 512 tokens).
          image_BLD: CLIP image tokens.
          medium_BM: weights of the media; zeros = no medium.
          segments_BHWC: features of the segment map at the resolution of the latents.
          progress_BT: share of the painting time of each latent frame.
          summary_BE: a summary of the conditions.
          reuse: a residual that may replace the blocks, see `through_blocks`.
        """
        config = self.config
        patches_BthwP = patchify(latents_BTHWC, config.patch).astype(self.dtype)
        x_BthwD = self.patch_embedding(patches_BthwP)
        if segments_BHWC is not None:
            segments_B1hwP = patchify(segments_BHWC[:, None], (1, *config.patch[1:]))
            x_BthwD = x_BthwD + self.segment_embedding(segments_B1hwP.astype(self.dtype))
        batch, *grid, dim = x_BthwD.shape
        padding = Padding.of(grid[0], math.prod(grid[1:]))
        x_BSD = constrain(padding.pad(x_BthwD.reshape(batch, -1, dim)), "tokens")

        embedder = self.condition_embedder
        time_BTD, modulation_BT6D = embedder.time(timestep_BF, progress_BT, summary_BE)

        def blocks(x_BSD):
            context = Context(
                text_BLD=embedder.text_embedder(text_BLD.astype(self.dtype)),
                image_BLD=None if image_BLD is None else embedder.image_embedder(image_BLD),
                medium_BLD=None if medium_BM is None else self._medium_tokens(medium_BM),
            )
            rope = Rope.of(grid, config.head_dim).padded(padding)
            return self._blocks(x_BSD, modulation_BT6D, context, rope, padding)

        x_BSD, residual_BSD = through_blocks(blocks, x_BSD, reuse)

        shift, scale = jnp.moveaxis(self.scale_shift_table[...] + time_BTD[:, :, None], 2, 0)
        x_BSD = modulate(layer_norm(x_BSD), shift, scale).astype(self.dtype)
        return padding.cut(x_BSD).reshape(batch, *grid, dim), residual_BSD

    def _medium_tokens(self, medium_BM: Float[Array, "b m"]) -> Float[Array, "b l d"]:
        return jnp.einsum("bm,mld->bld", medium_BM, self.medium_table[...]).astype(self.dtype)

    def _blocks(self, x_BSD, modulation_BT6D, context, rope, padding) -> Float[Array, "b s d"]:
        """Scans over the blocks, so that compile time does not grow with depth."""
        graph, stacked = nnx.split(self.blocks)

        def block(x_BSD, state):
            return nnx.merge(graph, state)(x_BSD, modulation_BT6D, context, rope, padding), None

        return jax.lax.scan(rematerialised(block, self.remat), x_BSD, stacked)[0]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Rope:
    """3D rotary positions: cosine and sine of the angles of each token, float32[S, K].

    Two neighbouring channels share an angle.
    """

    cos_SK: Float[Array, "s k"]
    sin_SK: Float[Array, "s k"]

    @classmethod
    def of(cls, grid: tuple[int, int, int], head_dim: int) -> "Rope":
        """Angles for a (t, h, w) grid, with the channels of a head split between the axes."""
        spatial = 2 * (head_dim // 6)
        tables = []
        for axis, dim in enumerate((head_dim - 2 * spatial, spatial, spatial)):
            # In float64 on the host: angles reach tens of radians.
            frequencies = _ROPE_THETA ** (-np.arange(0, dim, 2) / dim)
            angle = np.arange(grid[axis])[:, None] * frequencies
            turns = np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
            shape = [2, 1, 1, 1, dim // 2]
            shape[1 + axis] = grid[axis]
            tables.append(jnp.broadcast_to(turns.reshape(shape), (2, *grid, dim // 2)))
        return cls(*jnp.concatenate(tables, -1).repeat(2, -1).reshape(2, math.prod(grid), -1))

    def padded(self, padding: Padding) -> "Rope":
        """With angles for the padding, which nothing attends to."""
        return Rope(padding.pad(self.cos_SK), padding.pad(self.sin_SK))


def rotate(x_BSNK: Float[Array, "b s n k"], rope: Rope) -> Float[Array, "b s n k"]:
    """Rotates neighbouring pairs of channels by the angles of their token, in float32.

    A product with a matrix of 0, 1 and -1 swaps the pairs. It is exact, and matrix units do it in
    passing; a swap by reshaping makes TPUs lay all tokens out anew.
    """
    swap_KK = np.zeros((x_BSNK.shape[-1],) * 2)
    even = np.arange(0, len(swap_KK), 2)
    swap_KK[even + 1, even], swap_KK[even, even + 1] = -1, 1
    swapped_BSNK = jnp.matmul(x_BSNK, jnp.asarray(swap_KK, x_BSNK.dtype), precision="highest")
    cos, sin = rope.cos_SK[:, None], rope.sin_SK[:, None]
    rotated_BSNK = x_BSNK.astype(jnp.float32) * cos + swapped_BSNK.astype(jnp.float32) * sin
    return rotated_BSNK.astype(x_BSNK.dtype)


def sinusoids(x: Float[Array, "*b"], dim: int) -> Float[Array, "*b d"]:
    """cos and sin of x at `dim / 2` frequencies from 1 down to 1/10000."""
    frequencies = jnp.exp(-math.log(10_000) * jnp.arange(dim // 2, dtype=jnp.float32) / (dim // 2))
    angles = x[..., None].astype(jnp.float32) * frequencies
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], -1)

"""The small painting model: a Wan transformer with text embedding, conditions and pixel head."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx, traverse_util
from jaxtyping import Array, Float, Int

from painting_jax.models import segments
from painting_jax.models.block_residual import Reuse
from painting_jax.models.painting.brushwork import brush_of
from painting_jax.models.painting.picture import Picture
from painting_jax.models.painting.pixel_head import PixelHead, Window
from painting_jax.models.wan.transformer import WanConfig, WanTransformer


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Conditions:
    """Conditions of a batch of videos, frames in reverse painting order (finished picture first).

    Attributes:
      image_BTHWC: image condition (mask, then latents), concatenated to the noisy latents. The mask
        is 1 where the reference is, or -1 if it is another look of the painting, and 0 where the
        canvas is.
      medium_BM: weights of the media; zeros = no medium.
      text_BL: token ids; zeros = no text.
      progress_BT: share of the painting time of each frame.
      picture: what is painted, at the size of the latents. A canvas in it is the process's first
        frame, which is the last here: it is held.
      full: what is painted at the size of the picture, where that is larger than the latents.
      window: the part of it that is predicted beside the latents.
    """

    image_BTHWC: Float[Array, "b t h w c"]
    medium_BM: Float[Array, "b m"]
    text_BL: Int[Array, "b l"]
    progress_BT: Float[Array, "b t"]
    picture: Picture
    full: Picture | None = None
    window: Window | None = None


@dataclasses.dataclass(frozen=True)
class PaintingConfig:
    """Config of a painting model.

    Attributes:
      dim: width of the tokens.
      layers: number of transformer blocks.
      heads: number of attention heads.
      ffn_dim: hidden width of the feed-forward.
      patch: size of a patch of latents along time, height and width.
      codec_channels: channels of the latents.
      codec_temporal: frames per latent.
      vocabulary: number of token ids.
      text_dim: width of the learned embeddings of tokens.
      media: names of the media, in the order of the rows of their table.
      pixel_layers: layers of paint per token; 0 = no pixel head, for latents that are not pixels.
      reference_everywhere: whether the reference is on every frame or on the first alone.
      mark_other_looks: whether the mask tells a reference in another look than the painting's.
      direction_guides: whether the pixel head has guides along the direction that the text gives.
      behind_guides: whether the pixel head is told what lies behind the regions.
      canvas_guides: whether a process may go on from a given canvas.
    """

    dim: int
    layers: int
    heads: int
    ffn_dim: int
    patch: tuple[int, int, int]
    codec_channels: int
    codec_temporal: int
    vocabulary: int
    text_dim: int
    media: tuple[str, ...]
    pixel_layers: int
    reference_everywhere: bool = True
    mark_other_looks: bool = False
    direction_guides: bool = False
    behind_guides: bool = False
    canvas_guides: bool = False

    def transformer(self) -> WanConfig:
        """Config of the transformer inside."""
        return WanConfig(
            dim=self.dim,
            layers=self.layers,
            heads=self.heads,
            ffn_dim=self.ffn_dim,
            in_channels=2 * self.codec_channels + self.codec_temporal,
            out_channels=0 if self.pixel_layers else self.codec_channels,
            patch=self.patch,
            text_dim=self.text_dim,
            media=len(self.media),
            segment_channels=segments.CHANNELS,
            progress=True,
            summary_dim=self.text_dim + len(self.media),
        )


def with_media(
    params: dict, fresh: dict, *, text_dim: int, there: Sequence[str], here: Sequence[str]
) -> dict:
    """Parameters for other media: rows that a medium has are copied by its name.

    Args:
      params: Parameters of a model of the media `there`.
      fresh: Initial parameters of the same model of the media `here`, for media that are new.
      text_dim: Width of the text embeddings, which precede the media in a summary.
      there: Media of `params` in the order of their rows.
      here: Media of the result in the order of their rows.
    """
    # Where the rows of media begin in each parameter that has them.
    starts = {
        ("transformer", "medium_table"): 0,
        ("transformer", "condition_embedder", "summary_embedder", "linear_1", "kernel"): text_dim,
        ("pixel_head", "manner", "linear_1", "kernel"): text_dim,
    }
    flat, new = traverse_util.flatten_dict(params), traverse_util.flatten_dict(fresh)
    for path, start in starts.items():
        if path in flat:
            before, rows, after = jnp.split(flat[path], [start, start + len(there)])
            own = new[path][start : start + len(here)]
            chosen = [
                rows[list(there).index(name)] if name in there else own[row]
                for row, name in enumerate(here)
            ]
            flat[path] = jnp.concatenate([before, jnp.stack(chosen), after])
    return traverse_util.unflatten_dict(flat)


class PaintingModel(nnx.Module):
    """Predicts the clean latents or the velocity of noisy ones.

    Args:
      config: config.
      rngs: random numbers for the initial parameters.
      dtype: dtype of the computation; parameters are float32.
      **execution: `remat` and `strategy` of the transformer.
    """

    def __init__(self, config: PaintingConfig, *, rngs: nnx.Rngs, dtype=jnp.float32, **execution):
        self.config = config
        self.token_table = nnx.Param(
            jax.random.normal(rngs.params(), (config.vocabulary, config.text_dim))
        )
        self.transformer = WanTransformer(config.transformer(), rngs=rngs, dtype=dtype, **execution)
        if config.pixel_layers:
            self.pixel_head = PixelHead(
                config.dim,
                config.pixel_layers,
                config.text_dim + len(config.media),
                config.patch,
                text_dim=config.text_dim if config.direction_guides else 0,
                behind=config.behind_guides,
                canvas=config.canvas_guides,
                rngs=rngs,
                dtype=dtype,
            )

    def __call__(
        self,
        noisy_BTHWC: Float[Array, "b t h w c"],
        sigma_B: Float[Array, " b"],
        conditions: Conditions,
        reuse: Reuse | None = None,
    ) -> tuple[Float[Array, "b t2 h w c"], Float[Array, "b tokens d"]]:
        """The prediction for latents, and the residual of the transformer's blocks.

        Args:
          noisy_BTHWC: noisy latents.
          sigma_B: noise level in (0, 1].
          conditions: conditions; with a window, the prediction of that part of the full size
            follows along the frames, so it has as many pixels as the latents.
          reuse: a residual that may replace the blocks.
        """
        tokens_BthwD, residual_BSD, summary_BE = self._tokens(
            noisy_BTHWC, sigma_B, conditions, reuse
        )
        if not self.config.pixel_layers:
            return self.transformer.project(tokens_BthwD), residual_BSD
        given = (summary_BE, conditions.progress_BT)
        latents_BTHWC = self.pixel_head(tokens_BthwD, conditions.picture, *given)
        latents_BTHWC = with_canvas(latents_BTHWC, conditions.picture)
        if conditions.window is None:
            return latents_BTHWC, residual_BSD
        full, window = conditions.full, conditions.window
        part_BTHWC = self.pixel_head(tokens_BthwD, full, *given, window=window)
        if full.canvas_BHWC is not None:
            size_HW = part_BTHWC.shape[2:4]
            canvas_BHWC = window.pixels(full.canvas_BHWC[:, None], size_HW)[:, 0]
            part_BTHWC = with_canvas(part_BTHWC, dataclasses.replace(full, canvas_BHWC=canvas_BHWC))
        return jnp.concatenate([latents_BTHWC, part_BTHWC], 1), residual_BSD

    def at_full_size(
        self,
        noisy_BTHWC: Float[Array, "b t h w c"],
        sigma_B: Float[Array, " b"],
        conditions: Conditions,
    ) -> Float[Array, "b t h2 w2 3"]:
        """The prediction at the size of `conditions.full`, from the same tokens."""
        tokens_BthwD, _, summary_BE = self._tokens(noisy_BTHWC, sigma_B, conditions, None)
        video_BTHWC = self.pixel_head(
            tokens_BthwD,
            conditions.full,
            summary_BE,
            conditions.progress_BT,
            brush=brush_of(conditions.medium_BM, self.config.media),
            in_strips=True,
        )
        return with_canvas(video_BTHWC, conditions.full)

    def _tokens(self, noisy_BTHWC, sigma_B, conditions: Conditions, reuse: Reuse | None):
        """Tokens after the last block, the residual of the blocks, and the summary of the text."""
        noisy_BTHWC = with_canvas(noisy_BTHWC, conditions.picture)
        # Padding is zero, as it is after Wan's text encoder.
        padding_BL1 = (conditions.text_BL == 0)[..., None]
        text_BLD = jnp.where(padding_BL1, 0.0, self.token_table[...][conditions.text_BL])
        words_B1 = jnp.maximum((~padding_BL1).sum(1), 1)
        summary_BE = jnp.concatenate([text_BLD.sum(1) / words_B1, conditions.medium_BM], -1)
        tokens_BthwD, residual_BSD = self.transformer.tokens(
            jnp.concatenate([noisy_BTHWC, conditions.image_BTHWC], -1),
            1000 * sigma_B[:, None],
            text_BLD,
            medium_BM=conditions.medium_BM,
            segments_BHWC=segments.segment_features(conditions.picture.segments_BHW),
            progress_BT=conditions.progress_BT,
            summary_BE=summary_BE,
            reuse=reuse,
        )
        return tokens_BthwD, residual_BSD, summary_BE


def with_canvas(
    video_BTHWC: Float[Array, "b t h w c"], picture: Picture
) -> Float[Array, "b t h w c"]:
    """The video with the given canvas as the process's first frame, which is the last here."""
    if picture.canvas_BHWC is None:
        return video_BTHWC
    given_B111 = picture.given_B[:, None, None, None]
    first_BHWC = jnp.where(given_B111, picture.canvas_BHWC, video_BTHWC[:, -1])
    return video_BTHWC.at[:, -1].set(first_BHWC)

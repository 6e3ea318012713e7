"""Painting at the full size of a picture: latents are means of its pixels, and the head decodes.

The transformer sees latents alone. The pixel head lays its layers over the picture itself. In
training, it is also asked for a part of the full size, of as many pixels as the latents have.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from painting_jax.models.painting.modeling import Conditions, PaintingModel
from painting_jax.models.painting.pixel_head import Window


class HeadDecoder:
    """See `models.family.NetworkDecoder`."""

    def with_window(
        self, key: PRNGKeyArray, conditions: Conditions, patch: tuple[int, int, int]
    ) -> Conditions:
        batch, height, width = conditions.picture.segments_BHW.shape
        side = conditions.full.segments_BHW.shape[1] // height
        # Quarters of patches along each side of the picture, and of the part.
        whole = 2 * height // patch[1], 2 * width // patch[2]
        rows, columns = (quarters // side for quarters in whole)
        most = jnp.array([whole[0] - rows, whole[1] - columns])
        corner_B2 = jax.random.randint(key, (batch, 2), 0, most + 1)
        return dataclasses.replace(conditions, window=Window(corner_B2, rows, columns))

    def target(
        self,
        clean_BTHWC: Float[Array, "b t h w 3"],
        video_BTHWC: Float[Array, "b t h2 w2 3"],
        conditions: Conditions,
    ) -> Float[Array, "b t2 h w 3"]:
        part_BTHWC = conditions.window.pixels(video_BTHWC, clean_BTHWC.shape[2:4])
        return jnp.concatenate([clean_BTHWC, part_BTHWC], 1)

    def paint(
        self,
        transformer: PaintingModel,
        noisy_BTHWC: Float[Array, "b t h w 3"],
        timestep_B: Float[Array, " b"],
        conditions: Conditions,
    ) -> Float[Array, "b t h2 w2 3"]:
        if conditions.full is None:
            return transformer(noisy_BTHWC, timestep_B / 1000, conditions)[0]
        return transformer.at_full_size(noisy_BTHWC, timestep_B / 1000, conditions)

    def latents_alone(self, conditions: Conditions) -> Conditions:
        return dataclasses.replace(conditions, full=None, window=None)

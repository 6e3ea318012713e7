"""Cross-media augmentation: changes the look of the conditioning picture, but not the target.

During training the model sees finished pictures in looks that their medium never has, and must
still paint the medium. It thus learns to paint from photos, grey pictures and line drawings.
Pictures are RGB in [-1, 1]. All functions run on the device, vectorised over the batch.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from painting_jax.models.layers import gaussian_blur
from painting_jax.models.painting.conditioning import LUMA, luminance


def _grey(picture_BHW1: Float[Array, "b h w 1"]) -> Float[Array, "b h w 3"]:
    return jnp.repeat(picture_BHW1, 3, -1)


def monochrome(key: PRNGKeyArray, picture_BHWC):
    """Greyscale picture with random contrast."""
    contrast = jax.random.uniform(key, (picture_BHWC.shape[0], 1, 1, 1), minval=0.7, maxval=1.1)
    return jnp.clip(_grey(luminance(picture_BHWC)) * contrast, -1, 1)


def pencil_line(key: PRNGKeyArray, picture_BHWC):
    """Dark lines on white: a difference of Gaussians of the luminance, similar to XDoG."""
    side = min(picture_BHWC.shape[1:3])
    fine = max(0.5, side / 128)
    luma = luminance(picture_BHWC)
    edges = gaussian_blur(luma, fine) - gaussian_blur(luma, 2.5 * fine)
    strength = jax.random.uniform(key, (picture_BHWC.shape[0], 1, 1, 1), minval=12.0, maxval=24.0)
    return _grey(1 - 2 * jnp.tanh(strength * jax.nn.relu(-edges - 0.01)))


def posterised(key: PRNGKeyArray, picture_BHWC):
    """A slightly blurred picture with 3 to 6 levels per channel."""
    side = min(picture_BHWC.shape[1:3])
    levels = jax.random.randint(key, (picture_BHWC.shape[0], 1, 1, 1), 2, 6).astype(jnp.float32)
    unit = (gaussian_blur(picture_BHWC, max(0.5, side / 96)) + 1) / 2
    return jnp.round(unit * levels) / levels * 2 - 1


def blurred(key: PRNGKeyArray, picture_BHWC):
    """Gaussian blur with a standard deviation of 1/24 of the shorter side."""
    del key
    return gaussian_blur(picture_BHWC, max(0.5, min(picture_BHWC.shape[1:3]) / 24))


def colour_shifted(key: PRNGKeyArray, picture_BHWC):
    """Random hue and saturation: chroma is rotated and scaled, luminance is unchanged."""
    turn_key, scale_key = jax.random.split(key)
    batch = picture_BHWC.shape[0]
    angle = jax.random.uniform(turn_key, (batch, 1, 1), minval=-jnp.pi, maxval=jnp.pi)
    scale = jax.random.uniform(scale_key, (batch, 1, 1), minval=0.4, maxval=1.3)
    luma = luminance(picture_BHWC)
    u, v = (jnp.moveaxis(picture_BHWC - luma, -1, 0)[i] for i in (2, 0))
    u, v = (
        scale * (jnp.cos(angle) * u - jnp.sin(angle) * v),
        scale * (jnp.sin(angle) * u + jnp.cos(angle) * v),
    )
    # The unchanged luminance determines green.
    green = -(LUMA[0] * v + LUMA[2] * u) / LUMA[1]
    return jnp.clip(luma + jnp.stack([v, green, u], -1), -1, 1)


LOOKS = {
    "monochrome": monochrome,
    "pencil_line": pencil_line,
    "posterised": posterised,
    "blurred": blurred,
    "colour_shifted": colour_shifted,
}


def augment(
    key: PRNGKeyArray,
    picture_BHWC: Float[Array, "b h w 3"],
    looks_BA: Float[Array, "b a"],
    probability: float,
) -> tuple[Float[Array, "b h w 3"], Bool[Array, " b"]]:
    """Changes each picture to a random look with a given probability.

    Args:
      key: Random key.
      picture_BHWC: Pictures, RGB in [-1, 1].
      looks_BA: Weights of `LOOKS` for each picture, in that order, not all zero.
      probability: Probability of changing a picture.

    Returns:
      The pictures, and which of them were changed.
    """
    batch = picture_BHWC.shape[0]
    keys = jax.random.split(key, len(LOOKS) + 2)
    looks_ABHWC = jnp.stack(
        [look(k, picture_BHWC) for k, look in zip(keys, LOOKS.values(), strict=False)]
    )
    chosen_B = jax.random.categorical(keys[-2], jnp.log(jnp.maximum(looks_BA, 1e-9)))
    look_BHWC = jnp.take_along_axis(looks_ABHWC, chosen_B[None, :, None, None, None], 0)[0]
    changed_B = jax.random.bernoulli(keys[-1], probability, (batch,))
    return jnp.where(changed_B[:, None, None, None], look_BHWC, picture_BHWC), changed_B

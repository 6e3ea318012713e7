"""The picture as a condition of Wan's transformers; one function for training and for sampling."""

from jaxtyping import Array, Float

from painting_jax.models.codec import Codec
from painting_jax.models.painting.conditioning import image_condition
from painting_jax.models.wan.conditioning import image_conditioning
from painting_jax.models.wan.transformer import WanConfig


def picture_condition(
    codec: Codec, config: WanConfig, reference_BHWC: Float[Array, "b h w 3"], frames: int
) -> Float[Array, "b t h w c"]:
    """`WanConditions.image_BTHWC` of the finished picture, which the model's video begins with.

    Args:
      codec: the picture space.
      config: of the transformer; its channels tell how it takes a picture.
      reference_BHWC: RGB in [-1, 1], of the video's size.
      frames: of the video, not of its latents.

    Returns:
      Mask and latents of a video that is grey after its first frame, to be concatenated; or the
      latents of the picture alone (T = 1), to be the video's first latent frame.
    """
    if image_conditioning(config, codec) == "concatenated":
        return image_condition(codec, reference_BHWC, frames, everywhere=False)
    return codec.encode(reference_BHWC[:, None])

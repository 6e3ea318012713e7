"""Picture spaces: what the transformer's latents are made of, and how a picture enters them."""

import dataclasses
from typing import Protocol

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8


def to_float(pictures: UInt8[Array, "*b c"]) -> Float[Array, "*b c"]:
    """0..255 to [-1, 1]."""
    return pictures.astype(jnp.float32) / 127.5 - 1


def to_uint8(pictures: Float[Array, "*b c"]) -> UInt8[Array, "*b c"]:
    """[-1, 1] to 0..255, clipped and rounded."""
    return jnp.round((jnp.clip(pictures, -1, 1) + 1) * 127.5).astype(jnp.uint8)


class Codec(Protocol):
    """Encodes videos, RGB in [-1, 1], as latents and decodes them.

    Wan's codecs are causal in time, so a video is reversed before it is encoded, never after.

    Attributes:
      channels: Channels of the latents.
      spatial: Pixels along one side of a latent.
      temporal: Frames in one latent; a causal codec gives the first frame a latent of its own.
    """

    channels: int
    spatial: int
    temporal: int

    def encode(self, video_BTHWC: Float[Array, "b t h w 3"]) -> Float[Array, "b t2 h2 w2 c"]: ...

    def decode(self, latents_BTHWC: Float[Array, "b t2 h2 w2 c"]) -> Float[Array, "b t h w 3"]: ...


@dataclasses.dataclass(frozen=True)
class PixelCodec:
    """Latents are the pixels, or the means of blocks of pixels.

    Attributes:
      spatial: Height and width of a block.
    """

    spatial: int = 1
    channels = 3
    temporal = 1

    def encode(self, video_BTHWC: Float[Array, "b t h w 3"]) -> Float[Array, "b t h2 w2 3"]:
        side, (*rest, height, width, channels) = self.spatial, video_BTHWC.shape
        blocks = (*rest, height // side, side, width // side, side, channels)
        return video_BTHWC.reshape(blocks).mean((-4, -2)) if side > 1 else video_BTHWC

    def decode(self, latents_BTHWC: Float[Array, "b t h w 3"]) -> Float[Array, "b t h w 3"]:
        """The latents as pixels, without what the blocks held: the pixel head paints that."""
        return latents_BTHWC


def image_condition(
    codec: Codec, reference_BHWC: Float[Array, "b h w 3"], frames: int, *, everywhere: bool
) -> Float[Array, "b t2 h2 w2 c"]:
    """Mask and latents of a video that shows the reference where the mask is 1.

    Args:
      codec: Picture space.
      reference_BHWC: RGB in [-1, 1].
      frames: Frames of the video.
      everywhere: Whether the reference is on every frame (pixel models), or on the first alone and
        the others are zero, as in Wan's image-to-video models.

    Returns:
      Mask channels (one per frame of a latent), then the codec's channels, in Wan's order.
    """
    batch = reference_BHWC.shape[0]
    mask_BT = jnp.ones((batch, frames)) if everywhere else jnp.eye(1, frames).repeat(batch, 0)
    video_BTHWC = reference_BHWC[:, None] * mask_BT[:, :, None, None, None]
    latents_BTHWC = codec.encode(video_BTHWC)
    # A causal codec gives the first frame a latent of its own; its mask fills that whole latent.
    folded = jnp.concatenate([mask_BT[:, :1].repeat(codec.temporal - 1, 1), mask_BT], 1)
    folded = folded.reshape(batch, -1, 1, 1, codec.temporal)
    shape = (*latents_BTHWC.shape[:-1], codec.temporal)
    return jnp.concatenate([jnp.broadcast_to(folded, shape), latents_BTHWC], -1)

"""Codecs between videos and the latents of a transformer."""

from typing import Protocol

from jaxtyping import Array, Float


class Codec(Protocol):
    """Encodes videos, RGB in [-1, 1], as latents and decodes them.

    The codecs of Wan are causal in time. A video that is to be reversed is reversed before it is
    encoded, never afterwards.
    """

    channels: int
    spatial: int  # height and width of a latent in pixels
    temporal: int  # frames of a latent, except for the first latent

    def encode(self, video_BTHWC: Float[Array, "b t h w 3"]) -> Float[Array, "b t2 h2 w2 c"]: ...

    def decode(self, latents_BTHWC: Float[Array, "b t2 h2 w2 c"]) -> Float[Array, "b t h w 3"]: ...


class PixelCodec:
    """The identity: latents are the pixels."""

    channels = 3
    spatial = 1
    temporal = 1

    def encode(self, video_BTHWC: Float[Array, "b t h w 3"]) -> Float[Array, "b t h w 3"]:
        return video_BTHWC

    def decode(self, latents_BTHWC: Float[Array, "b t h w 3"]) -> Float[Array, "b t h w 3"]:
        return latents_BTHWC

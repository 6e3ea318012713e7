"""Picture spaces: what the transformer's latents are made of."""

from typing import Protocol

from jaxtyping import Array, Float


class Codec(Protocol):
    """Turns videos of RGB in [-1, 1] into latents and back.

    Time flows forward through a codec: the ones of Wan are causal, so a video is turned round
    before it is encoded, never after.
    """

    channels: int
    spatial: int  # pixels along one side of a latent
    temporal: int  # frames in one latent, but for the first

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

"""Convolutions over time that see the past only, and what they remember of it.

A video goes through such a network a few frames at a time: each layer keeps the last frames that
it saw, so that the next ones are convolved as if the video had come whole.

Shapes: B batch, T frames, H W height and width, I O channels in and out; K taps along time, R S
along height and width.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models import fast_on_cpu


class Past:
    """What the layers of a network remember from one chunk of a video to the next.

    Layers recall and remember in the order in which they run, which is the same for every chunk.

    Args:
      memories: those of the last chunk; None before the first one, which is a single frame.

    Attributes:
      first: whether nothing came before.
      memories: one array a layer, for the `Past` of the next chunk.
    """

    def __init__(self, memories: list[Array] | None = None):
        self.first = memories is None
        self.memories: list[Array] = []
        self._recalled = iter(memories or ())

    def recall(self) -> Array:
        """What the layer that asks remembered of the last chunk."""
        return next(self._recalled)

    def remember(self, frames_BTHWI: Float[Array, "b t h w i"]) -> None:
        self.memories.append(frames_BTHWI)


class CausalConv(nnx.Module):
    """A 3D convolution with a bias, whose last tap along time lies on the frame itself.

    Before the first frame and around the picture there are zeros. Parameters are float32, and zero
    until published ones take their place.

    Args:
      inputs: I.
      outputs: O.
      taps: K, R, S.
      stride: along time.
      dtype: computed in.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        taps: tuple[int, int, int] = (3, 3, 3),
        *,
        stride: int = 1,
        dtype,
    ):
        self.stride, self.dtype = stride, dtype
        self.memory = taps[0] - stride  # frames that the next chunk's first frame sees, too
        self.kernel = nnx.Param(jnp.zeros((*taps, inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(
        self, x_BTHWI: Float[Array, "b t h w i"], past: Past
    ) -> Float[Array, "b t2 h w o"]:
        """The next T / stride frames; of a stride above 1 only after a first chunk was skipped."""
        kernel_KRSIO = self.kernel[...].astype(self.dtype)
        x_BTHWI = x_BTHWI.astype(self.dtype)
        if past.first:
            past.remember(zeros_before(x_BTHWI, self.memory - 1))
            kernel_KRSIO = kernel_KRSIO[-1:]  # the other taps lie on zeros
        else:
            x_BTHWI = jnp.concatenate([past.recall(), x_BTHWI], 1)
            past.remember(x_BTHWI[:, -self.memory :])
        return causal_conv(x_BTHWI, kernel_KRSIO, self.stride) + self.bias[...].astype(self.dtype)

    def skip(self, x_BTHWI: Float[Array, "b t h w i"], past: Past, *, seen: bool) -> None:
        """Leaves the first chunk as it is; later chunks see it, or zeros in its stead."""
        x_BTHWI = x_BTHWI if seen else jnp.zeros_like(x_BTHWI)
        past.remember(zeros_before(x_BTHWI.astype(self.dtype), self.memory - 1))


def zeros_before(x_BTHWI: Float[Array, "b t h w i"], frames: int) -> Float[Array, "b t2 h w i"]:
    """The frames with that many of zeros in front."""
    return jnp.pad(x_BTHWI, ((0, 0), (frames, 0), (0, 0), (0, 0), (0, 0)))


def causal_conv(
    x_BTHWI: Float[Array, "b t h w i"], kernel_KRSIO: Float[Array, "k r s i o"], stride: int = 1
) -> Float[Array, "b t2 h w o"]:
    """A 3D convolution without padding along time, padded with zeros to the same picture.

    Returns:
      (T - K) / stride + 1 frames.
    """
    if fast_on_cpu.enabled():
        return fast_on_cpu.causal_conv(x_BTHWI, kernel_KRSIO, stride)
    _, rows, columns, *_ = kernel_KRSIO.shape
    return jax.lax.conv_general_dilated(
        x_BTHWI,
        kernel_KRSIO,
        window_strides=(stride, 1, 1),
        padding=((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2)),
        dimension_numbers=("NDHWC", "DHWIO", "NDHWC"),
    )

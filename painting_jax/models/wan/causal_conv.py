"""Convolutions that are causal in time, for videos that are processed in chunks of frames.

Each layer remembers the last frames of its input, so that the next chunk is convolved as if the
whole video were there.

Shapes: B batch, T frames, H W height and width, I O channels in and out; K taps along time, R S
along height and width.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from painting_jax.models import fast_on_cpu


class Past:
    """The frames that the layers of a network remember from one chunk of a video to the next.

    Layers recall and remember in the order in which they run, which is the same for every chunk.

    Args:
      memories: memories of the previous chunk; None for the first chunk, which is a single frame.

    Attributes:
      first: whether this is the first chunk.
      memories: one array per layer, for the `Past` of the next chunk.
    """

    def __init__(self, memories: list[Array] | None = None):
        self.first = memories is None
        self.memories: list[Array] = []
        self._recalled = iter(memories or ())

    def recall(self) -> Array:
        """The frames of the previous chunk that the calling layer remembered."""
        return next(self._recalled)

    def remember(self, frames_BTHWI: Float[Array, "b t h w i"]) -> None:
        self.memories.append(frames_BTHWI)


class CausalConv(nnx.Module):
    """A 3D convolution with bias that sees each frame and those before it.

    The video is padded with zeros. Parameters are float32 and initially zero, to be replaced by
    published ones.

    Args:
      inputs: I.
      outputs: O.
      taps: K, R, S.
      stride: stride along time.
      dtype: dtype of the computation.
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
        self.memory = taps[0] - stride  # frames that the next chunk sees as well
        self.kernel = nnx.Param(jnp.zeros((*taps, inputs, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(
        self, x_BTHWI: Float[Array, "b t h w i"], past: Past
    ) -> Float[Array, "b t2 h w o"]:
        """The next T / stride frames; with a stride above 1, `skip` takes the first chunk."""
        kernel_KRSIO = self.kernel[...].astype(self.dtype)
        x_BTHWI = x_BTHWI.astype(self.dtype)
        if past.first:
            past.remember(zeros_before(x_BTHWI, self.memory - 1))
            kernel_KRSIO = kernel_KRSIO[-1:]  # the other taps see zeros
        else:
            x_BTHWI = jnp.concatenate([past.recall(), x_BTHWI], 1)
            past.remember(x_BTHWI[:, -self.memory :])
        return causal_conv(x_BTHWI, kernel_KRSIO, self.stride) + self.bias[...].astype(self.dtype)

    def skip(self, x_BTHWI: Float[Array, "b t h w i"], past: Past, *, seen: bool) -> None:
        """Passes over the first chunk; later chunks see it if `seen`, else zeros."""
        x_BTHWI = x_BTHWI if seen else jnp.zeros_like(x_BTHWI)
        past.remember(zeros_before(x_BTHWI.astype(self.dtype), self.memory - 1))


def zeros_before(x_BTHWI: Float[Array, "b t h w i"], frames: int) -> Float[Array, "b t2 h w i"]:
    """The frames, preceded by `frames` frames of zeros."""
    return jnp.pad(x_BTHWI, ((0, 0), (frames, 0), (0, 0), (0, 0), (0, 0)))


def causal_conv(
    x_BTHWI: Float[Array, "b t h w i"], kernel_KRSIO: Float[Array, "k r s i o"], stride: int = 1
) -> Float[Array, "b t2 h w o"]:
    """A 3D convolution without padding along time, and padded to the same height and width.

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

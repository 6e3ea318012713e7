"""How much of the hardware a training step uses: model FLOPs against the device's peak."""

import math
import time

from jax.sharding import Mesh

from painting_jax.models.codec import Codec
from painting_jax.models.wan.transformer import WanConfig
from painting_jax.tasks.task import Task

# Dense bfloat16 FLOP/s of one chip, as their makers state them.
_PEAK = {
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "TPU v6e": 918e12,
    "TPU v7x": 2307e12,
    "NVIDIA A100": 312e12,
    "NVIDIA H100": 989e12,
    "NVIDIA H200": 989e12,
    "NVIDIA B200": 2250e12,
}


def peak_flops(device_kind: str) -> float | None:
    """Peak bfloat16 FLOP/s of a device by its `device_kind`, None where it is not known."""
    matches = [name for name in _PEAK if device_kind.startswith(name)]
    return _PEAK[max(matches, key=len)] if matches else None


def tokens(config: WanConfig, codec: Codec, frames: int, height: int, width: int) -> int:
    """Transformer tokens of one video of that many pixels."""
    latent_frames = 1 + (frames - 1) // codec.temporal
    extents = (latent_frames, height // codec.spatial, width // codec.spatial)
    return math.prod(extent // patch for extent, patch in zip(extents, config.patch, strict=True))


def forward_flops(wan: WanConfig, video_tokens: int, text_tokens: int) -> float:
    """Multiply-adds, counted as two, of the matrix products of one sample's forward pass."""
    dim, patch = wan.dim, math.prod(wan.patch)
    context = text_tokens + (wan.medium_tokens if wan.media else 0)
    self_attention = 4 * video_tokens * dim**2 + 2 * video_tokens**2 * dim
    cross_attention = (2 * video_tokens + 2 * context) * dim**2 + 2 * video_tokens * context * dim
    feed_forward = 2 * video_tokens * dim * wan.ffn_dim
    ends = video_tokens * dim * patch * (wan.in_channels + wan.out_channels)
    return 2.0 * (wan.layers * (self_attention + cross_attention + feed_forward) + ends)


def step_flops(forward: float, batch_size: int, *, whole: bool = True) -> float:
    """Useful FLOPs of a training step: a backward pass is two forwards, if all weights are trained.

    Of adapters it is one: no gradient of the frozen weights is asked for. Rematerialisation is
    work, but not useful work, and is left out.
    """
    return (3 if whole else 2) * forward * batch_size


class Meter:
    """Measures the speed of a run between two reports.

    Args:
      task: of the experiment.
      mesh: it runs on.
      start: steps already done.
    """

    def __init__(self, task: Task, mesh: Mesh, start: int):
        data = task.config.data
        each = tokens(task.transformer, task.codec, data.frames, data.height, data.width)
        self._tokens = data.batch_size * each
        forward = forward_flops(task.transformer, each, data.text_length)
        self._flops = step_flops(forward, data.batch_size, whole=task.whole)
        peak = peak_flops(mesh.devices.flat[0].device_kind)
        self._peak = peak and peak * mesh.size
        self._step, self._time = start, time.monotonic()

    def since_last(self, step: int) -> dict[str, float]:
        """Steps and tokens a second, and the share of the peak where that is known."""
        now = time.monotonic()
        rate = (step - self._step) / (now - self._time)
        self._step, self._time = step, now
        speeds = {"steps_per_s": rate, "tokens_per_s": rate * self._tokens}
        if self._peak:
            speeds["peak_share"] = rate * self._flops / self._peak
        return speeds

"""Speed of a training, and its model FLOPs utilisation (MFU).

MFU is the rate of useful FLOPs divided by the devices' peak rate.
"""

import time

from jax.sharding import Mesh

from painting_jax.tasks.task import Task

# Dense bfloat16 FLOP/s of one chip, as stated by its vendor.
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
    """Peak bfloat16 FLOP/s of a device by its `device_kind`; None if it is not known."""
    matches = [name for name in _PEAK if device_kind.startswith(name)]
    return _PEAK[max(matches, key=len)] if matches else None


def step_flops(forward: float, batch_size: int, *, full_finetune: bool = True) -> float:
    """Useful FLOPs of a training step.

    A backward pass costs as much as two forward passes. With adapters it costs as much as one,
    since no gradient of the frozen weights is needed. Rematerialisation does not count as useful.

    Args:
      forward: FLOPs of a forward pass for one example.
      batch_size: Number of examples.
      full_finetune: Whether all of the transformer is trained, rather than adapters.
    """
    return (3 if full_finetune else 2) * forward * batch_size


class Meter:
    """Measures the speed of a run between two reports.

    Args:
      task: Task of the experiment.
      mesh: Mesh it runs on.
      start: Number of steps already done.
    """

    def __init__(self, task: Task, mesh: Mesh, start: int):
        data, model = task.config.data, task.model
        video = (data.frames, data.height, data.width)
        tokens, forward = model.family.work(model.config, model.codec, video, data.text_length)
        self._tokens = data.batch_size * tokens
        self._flops = step_flops(forward, data.batch_size, full_finetune=task.full_finetune)
        peak = peak_flops(mesh.devices.flat[0].device_kind)
        self._peak = peak and peak * mesh.size
        self._step, self._time = start, time.monotonic()

    def since_last(self, step: int) -> dict[str, float]:
        """Steps and tokens per second since the last call, and the MFU if the peak is known."""
        now = time.monotonic()
        rate = (step - self._step) / (now - self._time)
        self._step, self._time = step, now
        speeds = {"steps_per_s": rate, "tokens_per_s": rate * self._tokens}
        if self._peak:
            speeds["mfu"] = rate * self._flops / self._peak
        return speeds

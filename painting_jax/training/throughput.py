"""Speed of a training, and its model FLOPs utilisation (MFU).

MFU is the rate of useful FLOPs divided by the devices' peak rate.
"""

import collections
import contextlib
import functools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
from flax import nnx
from jax.sharding import Mesh

from painting_jax.diffusion import reverse_painting
from painting_jax.models.codec import to_float
from painting_jax.models.family import Work
from painting_jax.models.product_flops import product_flops
from painting_jax.tasks.task import Task

# Dense bfloat16 FLOP/s of what JAX counts as one device, as stated by its vendor: a GPU; a chip of
# TPU v4, v5 and v6; one of a chip's two TensorCores of TPU v2, v3 and 7.
_PEAK = {
    "TPU v2": 23e12,
    "TPU v3": 61.5e12,
    "TPU v4": 275e12,
    "TPU v4 lite": 138e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "TPU v6e": 918e12,
    "TPU7": 1153.5e12,
    "TPU7x": 1153.5e12,
    "NVIDIA A10": 125e12,
    "NVIDIA A10G": 70e12,
    "NVIDIA A30": 165e12,
    "NVIDIA A40": 149.7e12,
    "NVIDIA A100": 312e12,
    "NVIDIA A800": 312e12,
    "NVIDIA L4": 121e12,
    "NVIDIA L40": 181e12,
    "NVIDIA L40S": 362e12,
    "NVIDIA H20": 148e12,
    "NVIDIA H100": 989e12,
    "NVIDIA H100 NVL": 835e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H200": 989e12,
    "NVIDIA H200 NVL": 835e12,
    "NVIDIA H800": 989e12,
    "NVIDIA H800 PCIe": 756e12,
    "NVIDIA GH200": 989e12,
    "NVIDIA B200": 2250e12,
    "NVIDIA B300": 2250e12,
    "NVIDIA GB200": 2500e12,
    "NVIDIA GB300": 2500e12,
}


def peak_flops(device_kind: str) -> float | None:
    """Peak bfloat16 FLOP/s of a device by its `device_kind`; None if it is not known.

    A kind may go on behind a name of the table ("NVIDIA H100 80GB HBM3"), but not within its last
    word: an L40 is no L4. The longest name counts. A slice of a GPU (MIG) is not known.
    """
    if re.search(r"\bMIG\b", device_kind):
        return None
    matches = [
        name for name in _PEAK if re.match(rf"{re.escape(name)}(?![0-9A-Za-z])", device_kind)
    ]
    return _PEAK[max(matches, key=len)] if matches else None


def unknown_peak(mesh: Mesh) -> str:
    """Says that there is no MFU, if the peak of a mesh's accelerators is not known; else ""."""
    device = mesh.devices.flat[0]
    if device.platform == "cpu" or peak_flops(device.device_kind) is not None:
        return ""
    return (
        f"the peak FLOP/s of {device.device_kind!r} is not known: the log has no mfu; add it to "
        f"{__name__}"
    )


def step_flops(work: Work, batch_size: int, *, full_finetune: bool = True) -> float:
    """Useful FLOPs of a training step. Rematerialisation does not count as useful.

    A product of activations and weights has two backward products of the same size: the gradient of
    the activations and that of the weights, which frozen weights do not need. The products of
    attention multiply activations with activations, so both have two backward products whatever is
    frozen. Hence three times the forward pass if all is trained; with adapters, twice the products
    with weights and three times those of attention. The adapters' own products are negligible.

    Args:
      work: Work of a forward pass for one example.
      batch_size: Number of examples.
      full_finetune: Whether all of the transformer is trained, rather than adapters.
    """
    if full_finetune:
        return 3 * work.forward * batch_size
    return (2 * work.forward + work.attention) * batch_size


_STARTING, _TRAINING = "starting", "training"


class Meter:
    """Measures the speed of training between two reports; everything else is timed apart.

    Until something is done apart for the first time, which is compiling, a run is starting.

    Args:
      task: Task of the experiment.
      mesh: Mesh it runs on.
    """

    def __init__(self, task: Task, mesh: Mesh):
        self._task = task
        peak = peak_flops(mesh.devices.flat[0].device_kind)
        self._peak = peak and peak * mesh.size
        self._work = functools.cache(self._work_of)
        self._encoding: dict[tuple[int, int], float] = {}
        self._done: dict[str, float] = collections.defaultdict(float)
        self._seconds: dict[str, float] = collections.defaultdict(float)
        self._doing, self._since = _STARTING, time.monotonic()
        self._waited = 0.0

    def metered(
        self,
        train_step: Callable,
        sides: Callable[[dict], tuple[int, int]],
        compiling: Callable[[int, int], object],
    ) -> Callable:
        """Counts the calls of a jitted step (state, metrics, batch, frozen).

        The first call with frames of each shape compiles. Its time and its step are kept apart.

        Args:
          train_step: The step.
          sides: Height and width in pixels of the frames of a batch.
          compiling: Called with height and width before frames of another shape are compiled for.
        """
        compiled = set()

        def step(state, running, batch, frozen):
            height, width = sides(batch)
            if (height, width) in compiled:
                self.count(height, width)
                return train_step(state, running, batch, frozen)
            compiled.add((height, width))
            self._encoding[height, width] = self._encoding_flops(batch, frozen)
            compiling(height, width)
            with self.apart("compiling", state):
                return jax.block_until_ready(train_step(state, running, batch, frozen))

        return step

    def count(self, height: int, width: int) -> None:
        """Counts a step of training on frames of these sides."""
        tokens, flops = self._work(height, width)
        flops += self._encoding.get((height, width), 0.0)
        for name, value in (("steps", 1), ("tokens", tokens), ("flops", flops)):
            self._done[name] += value

    @contextlib.contextmanager
    def apart(self, doing: str, pending: Any = ()) -> Iterator[None]:
        """Times what is done in the context apart from training; its steps must not be counted.

        Args:
          doing: What is done.
          pending: Arrays that training still computes; waited for, since they are training.
        """
        jax.block_until_ready(pending)
        self._change(doing)
        try:
            yield
        finally:
            self._change(_TRAINING)

    @contextlib.contextmanager
    def waiting_for_data(self) -> Iterator[None]:
        """Times what is done in the context. It is part of training: devices may compute on."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def since_last(self) -> dict[str, float]:
        """Speed since the last call, and the seconds of everything else.

        Returns:
          Steps and tokens per second of training, if a step was counted, and the MFU if the peak is
          known; `seconds_waiting_for_data`, if there were any; and `seconds_DOING` of all that was
          done apart.
        """
        self._change(self._doing)
        seconds = self._seconds.pop(_TRAINING, 0.0)
        speeds = {}
        if self._done and seconds:
            speeds["steps_per_s"] = self._done["steps"] / seconds
            speeds["tokens_per_s"] = self._done["tokens"] / seconds
            if self._peak:
                speeds["mfu"] = self._done["flops"] / seconds / self._peak
        if self._waited:
            speeds["seconds_waiting_for_data"] = self._waited
        self._waited = 0.0
        apart = {f"seconds_{doing}": value for doing, value in self._seconds.items()}
        self._done.clear()
        self._seconds.clear()
        return speeds | apart

    def _work_of(self, height: int, width: int) -> tuple[int, float]:
        """Tokens and useful FLOPs of a step on frames of these sides."""
        task, data, model = self._task, self._task.config.data, self._task.model
        video = (data.frames, height, width)
        work = model.family.work(model.config, model.codec, video, data.text_length)
        flops = step_flops(work, data.batch_size, full_finetune=task.full_finetune)
        return data.batch_size * work.tokens, flops

    def _encoding_flops(self, batch: dict, frozen: dict) -> float:
        """FLOPs of the frozen networks that encode a batch of pictures within the step."""
        model = self._task.model
        if not isinstance(model.codec, nnx.Module) or reverse_painting.LATENTS in batch:
            return 0.0

        def encode(batch, frozen):
            reference_BHWC = to_float(batch["reference_BHWC"])
            return reverse_painting.encode(batch, reference_BHWC, model, model.encoders(frozen))

        return product_flops(encode, batch, frozen)

    def _change(self, doing: str) -> None:
        now = time.monotonic()
        self._seconds[self._doing] += now - self._since
        self._doing, self._since = doing, now

"""Networks are tried before recordings are read: what they take decides how many may work.

One that cannot be used is said at once, and not once for each recording.
"""

import dataclasses
import pathlib
import resource
import sys
from collections.abc import Callable

import numpy as np

from painting_jax import memory
from painting_jax.data import remarks
from painting_jax.data.curation.options import Prompted
from painting_jax.data.enrichment.enrichment import Enrichment
from painting_jax.data.worker import Ended, Worker
from painting_jax.errors import UserError

_READING = 1 << 30  # bytes that a worker takes for a recording itself
_FILM = 4  # frames, as many as networks look at together
_STATUS = pathlib.Path("/proc/self/status")


# The networks, the longer side of the pictures, and the networks that find occluders.
_Tried = tuple[Enrichment, int, Prompted | None]


@dataclasses.dataclass(frozen=True)
class Taken:
    """Bytes that a process took.

    Attributes:
      host: Of this machine's memory.
      device: Of an accelerator's; 0 without one.
      on_device: Bytes that the accelerator has.
    """

    host: int
    device: int = 0
    on_device: int = 0

    @property
    def fits(self) -> int:
        """How many such processes there is room for, at least one."""
        count = memory.host() // (self.host + _READING)
        if self.device:
            count = min(count, self.on_device // self.device)
        return max(1, count)


def room(
    enrichment: Enrichment,
    side: int,
    workers: int,
    say: Callable[[str], object],
    occluders: Prompted | None = None,
) -> int:
    """How many of the workers may use the networks at a time.

    Args:
      enrichment: The networks.
      side: Longer side of the pictures, in pixels.
      workers: Number of worker processes; 0 if this process uses the networks.
      say: Called with a line on what they take.
      occluders: Networks that find what lies before the canvas.

    Raises:
      UserError: If one cannot be used, or takes more memory than there is.
    """
    try:
        what = enrichment, side, occluders
        taken = _apart(what) if workers else _tried(what)
    except Ended:
        raise UserError(
            "the networks ended the process that tried them: they take more than the "
            f"{memory.in_words(memory.host())} of memory of this machine"
        ) from None
    used = min(taken.fits, workers)
    on_device = f" and {memory.in_words(taken.device)} of the accelerator's" * bool(taken.device)
    who = f"each of {used} worker processes" if used else "prepare"
    say(f"with its networks, {who} takes {memory.in_words(taken.host)} of memory{on_device}")
    return used


def _apart(what: _Tried) -> Taken:
    """Tries them in a process of its own, which ends."""
    worker = Worker()
    try:
        return worker.do(_tried, what)
    finally:
        worker.stop()


def _tried(what: _Tried) -> Taken:
    """Uses each network once, and measures the memory of the process."""
    enrichment, side, occluders = what
    # A few flat areas.
    picture_HWC = np.zeros((side * 3 // 4, side, 3), np.uint8)
    picture_HWC[side // 4 :, side // 3 :] = (200, 120, 40)
    # Two steps take as much memory as many.
    short = dataclasses.replace(enrichment, least_confidence=0, steps=2, looks=enrichment.looks[:1])
    # What the networks say of it is nothing that anybody wants to know.
    with remarks.collected():
        short.segments_of(picture_HWC, "")
        short.caption_of(picture_HWC)
        if enrichment.medium is not None:
            short.medium_of(picture_HWC, "")
        short.variants_of(picture_HWC, "", "", ())
        if occluders is not None:
            from painting_jax.data.curation import prompted  # noqa: PLC0415

            prompted.prompts(occluders).occluded(np.repeat(picture_HWC[None], _FILM, axis=0))
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        _, on_device = torch.cuda.mem_get_info()
        return Taken(_peak(), torch.cuda.max_memory_reserved(), on_device)
    return Taken(_peak())


def _peak() -> int:
    """Most bytes that this process has had in memory."""
    # What `getrusage` says may be of the process that started this one.
    if _STATUS.exists():
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) << 10
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

"""What worker processes do with recordings.

They import this alone, which takes half the time of all that it takes to build a data set.
"""

import contextlib
import dataclasses
import math

from painting_jax.data import processes, readings, record_size, remarks
from painting_jax.data.curation.options import Cleaning
from painting_jax.data.enrichment.enrichment import Enrichment
from painting_jax.data.process import Process

# Bytes a pixel of a stored frame, the mean over a process: 0.24 to 0.47 in recordings of oil, ink,
# pencil and digital painting.
_BYTES_PER_PIXEL = 0.35


def key(recording: processes.ProcessFile) -> tuple[str | None, str | None]:
    """The content key of a recording and None, or None and the reason why it has none."""
    # Reading a recording makes the same remarks.
    with remarks.collected():
        return readings.attempted(processes.content_key, recording)


def no_key(recording: processes.ProcessFile, reason: str) -> tuple[None, str]:
    """The outcome of `key` for a recording on which nobody could finish."""
    return None, reason


def size(
    recording: processes.ProcessFile, *, max_frames: int, max_side: int, variants: int = 0
) -> int:
    """About how many bytes the record of a recording will have; 0 if it cannot be read.

    Args:
      recording: The recording.
      max_frames: As in `read`.
      max_side: As in `read`.
      variants: Number of variants that are made of the finished picture.
    """
    start = -math.inf if recording.start is None else recording.start
    end = math.inf if recording.end is None else recording.end
    # Reading the whole recording makes the same remarks, and says why it cannot be read.
    with remarks.collected(), contextlib.suppress(Exception):
        times = processes.frame_times(recording)
        inside = [time for time in times if start <= time <= end]
        # The first two frames tell the size of all.
        opening = dataclasses.replace(
            recording, start=inside[0], end=inside[min(1, len(inside) - 1)], progress=None
        )
        frame_HWC = processes.load(opening, max_frames=2, max_side=max_side).frames_THWC[0]
        # The finished picture is stored once more.
        count = min(max_frames, len(inside)) + 1 + variants
        return round(count * frame_HWC.shape[0] * frame_HWC.shape[1] * _BYTES_PER_PIXEL)
    return 0


def read(
    recording: processes.ProcessFile,
    *,
    max_frames: int,
    max_side: int,
    edits: str,
    cleaning: Cleaning | None,
    enrichment: Enrichment,
) -> Process:
    """The record of a recording, see `processes.to_record`.

    Raises:
      UserError: If it cannot be used, or is larger than a record can be.
    """
    record = processes.to_record(
        recording,
        max_frames=max_frames,
        max_side=max_side,
        edits=edits,
        cleaning=cleaning,
        enrichment=enrichment,
    )
    record_size.check(record)
    return record

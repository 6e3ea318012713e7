"""What a measurement on a GPU finds."""

from typing import NamedTuple


class Result(NamedTuple):
    """Figures of one case.

    Attributes:
      seconds: duration of each step, or of each painted video.
      peak_bytes: most memory that was in use.
      flops: useful FLOPs of a step; None where they are not counted.
      first_seconds: duration of the first step, which compiles.
      device: kind of the device.
      version: version of the framework.
    """

    seconds: list[float]
    peak_bytes: int | None
    flops: float | None
    first_seconds: float
    device: str
    version: str

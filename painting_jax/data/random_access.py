"""Which packets of a video are decoded for a few of its frames: those from a keyframe on.

A frame takes the packets from the keyframe before it to its own, in the order of the file. A
keyframe of an open group is followed by frames that are shown before it: they take the group before
it, too.
"""

import dataclasses
from collections.abc import Sequence

import av

# Their files list keyframes; those of others guess at them, or hold frames without times.
_CONTAINERS = frozenset(("mov", "matroska"))
_CODECS = frozenset(("h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg", "prores"))
# Of the packets, above which stopping and starting again saves nothing.
_WORTHWHILE = 0.8


@dataclasses.dataclass
class Spans:
    """Collects, packet by packet, which packets each frame takes.

    Args:
      container: The file.
      track: Its track.
    """

    container: dataclasses.InitVar[av.container.InputContainer]
    track: dataclasses.InitVar[av.VideoStream]

    def __post_init__(self, container: av.container.InputContainer, track: av.VideoStream):
        self._by_time: dict[int, range] = {}
        self._count, self._key_time = 0, 0
        self._starts = (0, 0)  # of the group before this one, and of this one
        self._usable = track.codec_context.name in _CODECS and not _CONTAINERS.isdisjoint(
            container.format.name.split(",")
        )

    def add(self, packet: av.Packet) -> None:
        """Adds the next packet of the track."""
        number, time = self._count, packet.pts
        self._count += 1
        if time is None or not (packet.is_keyframe or number):
            self._usable = False
        if not self._usable:
            return
        if packet.is_keyframe:
            self._starts, self._key_time = (self._starts[1], number), time
        start = self._starts[time >= self._key_time]
        if not packet.is_discard:
            self._by_time.setdefault(time, range(start, number + 1))

    def of(self, times: Sequence[int]) -> tuple[range, ...]:
        """Numbers of the packets that each frame takes; empty if that is not known."""
        if not self._usable:
            return ()
        return tuple(self._by_time[time] for time in times)


def parts(spans: Sequence[range], count: int) -> list[range] | None:
    """The parts of a file that hold some frames, rising and apart from each other.

    Args:
      spans: What each of these frames takes.
      count: Number of packets in the file.

    Returns:
      None if they are nearly all of it.
    """
    joined: list[range] = []
    for span in sorted(spans, key=lambda span: (span.start, span.stop)):
        if joined and span.start <= joined[-1].stop:
            joined[-1] = range(joined[-1].start, max(joined[-1].stop, span.stop))
        else:
            joined.append(span)
    return joined if sum(map(len, joined)) < _WORTHWHILE * count else None

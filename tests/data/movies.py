"""Small videos in any codec and container, for tests."""

import fractions
import pathlib
from collections.abc import Mapping, Sequence

import av
import numpy as np

RED = (200, 30, 30)
_MILLISECOND = fractions.Fraction(1, 1000)


def filling(count: int = 12, height: int = 96, width: int = 128) -> np.ndarray:
    """White paper that red paint covers from the top: uint8[count, height, width, 3]."""
    done_T = np.linspace(0, height, count).round()
    painted_TH = np.arange(height)[None] < done_T[:, None]
    return np.where(painted_TH[..., None, None], RED, 255).astype(np.uint8).repeat(width, 2)


def write(
    path: pathlib.Path,
    frames: Sequence[np.ndarray],
    codec: str = "libx264",
    *,
    pix_fmt: str = "yuv420p",
    source: str = "rgb24",
    rate: int = 10,
    container: str | None = None,
    options: Mapping[str, str] | None = None,
    flags: int = 0,
    matrix: Sequence[int] | None = None,
    ticks: Sequence[int] | None = None,
    muxer: Mapping[str, str] | None = None,
) -> None:
    """Writes frames with FFmpeg.

    Args:
      path: Path of the file.
      frames: Arrays of the pixel format `source`.
      codec: FFmpeg's name.
      pix_fmt: Pixel format in the file.
      source: Pixel format of the arrays.
      rate: Frames a second.
      container: FFmpeg's name; by default that of the suffix.
      options: Of the codec.
      flags: Of the codec, added to its own.
      matrix: Display matrix.
      ticks: Times of the frames in milliseconds.
      muxer: Options of the container.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=container, options=dict(muxer or {})) as out:
        stream = out.add_stream(codec, rate=rate, options=dict(options or {}))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.flags |= flags
        if matrix is not None:
            stream.set_display_matrix(matrix)
        if ticks is not None:
            stream.time_base = stream.codec_context.time_base = _MILLISECOND
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=source)
            if ticks is not None:
                frame.pts, frame.time_base = ticks[index], _MILLISECOND
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def packets(path: pathlib.Path) -> list[tuple[int, int]]:
    """Position and size of each packet of a video."""
    with av.open(str(path)) as container:
        return [(p.pos, p.size) for p in container.demux(container.streams.video[0]) if p.size]


def damage(path: pathlib.Path, *numbers: int) -> None:
    """Overwrites packets of a video with zeros, except their first bytes."""
    data = bytearray(path.read_bytes())
    places = packets(path)
    for number in numbers:
        at, size = places[number]
        data[at + 5 : at + size] = bytes(size - 5)
    path.write_bytes(data)

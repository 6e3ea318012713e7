"""Reads videos with FFmpeg: which frames a file has, when they are shown, and what they look like.

A file is judged by what can be decoded, not by what its header promises. A damaged frame is left
out with a remark. A file whose end is missing is refused, since a process ends with its picture.
"""

import contextlib
import dataclasses
import fractions
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import Colorspace, Interpolation
from etils import epath
from PIL import Image

from painting_jax.data import colour, file_kinds, fragments, random_access, remarks
from painting_jax.errors import UserError

# 8K has 35. A decoder holds a dozen frames, so fewer are allowed than in a picture.
MAX_MEGAPIXELS = 36
# A file that lacks more than this share of its duration at the end is cut short.
MISSING_SHARE = 0.1
# With fewer frames than this share of its packets, a file is refused. (Two packets may make one
# frame, of two fields.)
_LEAST_SHARE = 0.4
# Fewer frames that are lost without an error are those that a codec does not show.
_NOTICED_SHARE = 0.1

# Pixels beside each other can be a few times as wide as high, not millions.
_WIDEST_PIXEL = 16
# A frame in a decoder is larger than the picture by its padding, at most this much.
_PADDING = 256
# Decoders hold a frame for each thread, and a dozen more: large ones take memory, not time.
_LARGE = 10_000_000  # pixels
_STRIP = 1 << 20  # pixels that are composed together
_OPTIONS = {
    # A file can name others, also on the network, and FFmpeg would open them.
    "protocol_whitelist": "none",
    "max_pixels": str(MAX_MEGAPIXELS * 10**6),
}
# By default, swscale loses up to two levels of 255, most of them downwards.
EXACT = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
# From H.273 to swscale's names.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
_NOT_SHOWN = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent


@dataclasses.dataclass(frozen=True)
class Timeline:
    """When the frames of a video are shown, as far as it says without decoding.

    Attributes:
      seconds: Times of the frames from the first one, rising.
      first: Time of the first frame in units of the track's time base.
      rate: Frames a second, if the file states no times, or times that run backwards; else None.
      spans: Numbers of the packets that each frame takes; empty if that is not known.
    """

    seconds: tuple[float, ...]
    first: int = 0
    rate: fractions.Fraction | None = None
    spans: tuple[range, ...] = ()

    @property
    def step(self) -> float:
        """Mean time between two frames in seconds."""
        return self.seconds[-1] / max(1, len(self.seconds) - 1)

    @property
    def tolerance(self) -> float:
        """Seconds that may be missing at the end."""
        return max(MISSING_SHARE * self.seconds[-1], 2 * self.step)


@contextlib.contextmanager
def opened(
    path: epath.Path,
) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Opens the track of a video that a player shows.

    Raises:
      UserError: If there is none, if its frames are too large, or if FFmpeg reports an error.
    """
    file_kinds.check_regular(path)
    try:
        with (
            path.open("rb") as file,
            # Some programs write titles in the letters of their own country.
            av.open(file, options=_OPTIONS, metadata_errors="replace") as container,
        ):
            track = _shown_track(path, container)
            if track.width * track.height > MAX_MEGAPIXELS * 10**6:
                raise UserError(
                    f"{path} has {track.width}x{track.height} pixels a frame, more than "
                    f"{MAX_MEGAPIXELS} megapixels"
                )
            track.thread_type = "SLICE" if track.width * track.height > _LARGE else "AUTO"
            if os.environ.get("OMP_NUM_THREADS") == "1":
                # FFmpeg knows no such variable; it would start up to 16 threads in each worker.
                track.codec_context.thread_count = 1
            most = MAX_MEGAPIXELS * 10**6
            if track.width and track.height:
                most = min(most, (track.width + _PADDING) * (track.height + _PADDING))
            track.codec_context.options = {"max_pixels": str(most)}
            yield container, track
    except (av.error.FFmpegError, OSError, ValueError, OverflowError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path} is not a readable video: {reason}") from None


def _shown_track(path: epath.Path, container: av.container.InputContainer) -> av.VideoStream:
    """The default track, or else the first; covers and thumbnails are none."""
    tracks = [track for track in container.streams.video if not track.disposition & _NOT_SHOWN]
    if not tracks:
        raise UserError(f"{path} has no video in it")
    known = [track for track in tracks if track.codec_context is not None]
    if not known:
        raise UserError(f"{path} has a codec that FFmpeg does not know")
    default = [track for track in known if track.disposition & Disposition.default]
    chosen = (default or known)[0]
    if len(tracks) > 1:
        number = tracks.index(chosen) + 1
        remarks.add(f"{path} has {len(tracks)} video tracks: number {number} is read")
    return chosen


def timeline(path: epath.Path) -> Timeline:
    """When the frames of a video are shown. Its packets are read, none is decoded.

    Raises:
      UserError: As `opened`, or if there are no frames, or some are missing at the end.
    """
    if file_kinds.head(path).startswith(b"GIF8") and not _gif_is_whole(path.read_bytes()):
        raise UserError(f"{path} is cut short: it ends within a frame")
    fragments.check(path)
    with opened(path) as (container, track):
        shown, last_dts, count, is_backward, end, is_torn = [], None, 0, False, 0, False
        spans = random_access.Spans(container, track)
        for packet in _packets(container, track):
            spans.add(packet)
            is_torn = packet.is_corrupt
            if packet.dts is not None:
                is_backward |= last_dts is not None and packet.dts < last_dts
                last_dts = packet.dts
            # Those before the cut of a trimmed video are decoded and not shown.
            if packet.is_discard:
                continue
            count += 1
            time = packet.dts if packet.pts is None else packet.pts
            if time is not None:
                shown.append(time)
                end = max(end, time + (packet.duration or 0))
        if not count:
            raise UserError(f"{path} has no frames")
        if not shown or is_backward:
            if shown:
                remarks.add(f"{path} has times that run backwards: its frames are evenly spaced")
            rate = track.guessed_rate or track.average_rate or fractions.Fraction(25)
            return Timeline(tuple(float(index / rate) for index in range(count)), 0, rate)
        ticks = sorted(set(shown))
        found = Timeline(
            tuple(float((tick - ticks[0]) * track.time_base) for tick in ticks),
            ticks[0],
            spans=spans.of(ticks),
        )
        shown_until = float(end * track.time_base)
        missing = _missing_at_the_end(path, container, track, last_dts, shown_until)
        if is_torn and track.frames > count:
            # The file ends within a frame, before others that its header counts.
            missing = max(missing, (track.frames - count) * found.step)
        # A single frame may be shown for ever.
        is_judged = found.step > 0 or _has_index(container)
    if missing > found.tolerance and is_judged:
        raise UserError(
            f"{path} is cut short: its frames end at {found.seconds[-1]:.1f} s of "
            f"{found.seconds[-1] + missing:.1f} s"
        )
    return found


def _packets(container: av.container.InputContainer, track: av.VideoStream) -> Iterator[av.Packet]:
    """The packets of a track that hold data; an error ends them, as the end of the file does."""
    with contextlib.suppress(av.error.FFmpegError):
        for packet in container.demux(track):
            # An empty packet would make the decoder believe that it was the last.
            if packet.size:
                yield packet


def _missing_at_the_end(
    path: epath.Path,
    container: av.container.InputContainer,
    track: av.VideoStream,
    last_dts: int | None,
    end: float,
) -> float:
    """Seconds of a track that its file announces and does not hold.

    Args:
      path: Path of the file.
      container: The file, read to its end.
      track: The track.
      last_dts: Decoding time of its last packet.
      end: Time in seconds at which its last frame ends.
    """
    if _has_index(container):
        # The durations of mp4 count what edit lists hide.
        index = track.index_entries
        from_the_end = (index[place] for place in range(len(index) - 1, -1, -1))
        listed = next((entry for entry in from_the_end if not entry.is_discard), None)
        if listed is None or last_dts is None:
            return 0.0
        return float((listed.timestamp - last_dts) * track.time_base)
    start = float((track.start_time or 0) * track.time_base)
    if track.duration:
        duration = start + float(track.duration * track.time_base)
    else:
        duration = ((container.start_time or 0) + (container.duration or 0)) / av.time_base
    if duration - end <= MISSING_SHARE * duration:
        return 0.0
    # Sound may go on after the picture, and then the file is whole.
    return max(0.0, duration - max(end, _end_of_all_tracks(path)))


def _has_index(container: av.container.InputContainer) -> bool:
    """Whether a file is an mp4 or its like, whose index lists every frame."""
    return "mov" in container.format.name.split(",")


def _end_of_all_tracks(path: epath.Path) -> float:
    end = 0.0
    with opened(path) as (container, _), contextlib.suppress(av.error.FFmpegError):
        for packet in container.demux():
            time = packet.dts if packet.pts is None else packet.pts
            if time is not None:
                end = max(end, float((time + (packet.duration or 0)) * packet.time_base))
    return end


def _gif_is_whole(data: bytes) -> bool:
    """Whether a gif ends between two frames.

    The byte that should mark its end is often missing, or has other bytes behind it.
    """

    def after_blocks(at: int) -> int:
        while at < len(data) and data[at]:
            at += data[at] + 1
        return at + 1

    def after_colours(at: int, flags: int) -> int:
        return at + (3 << (flags & 7) + 1 if flags & 0x80 else 0)

    if len(data) < 13:
        return False
    at = after_colours(13, data[10])
    while at < len(data):
        if data[at] == 0x21:
            at = after_blocks(at + 2)
        elif data[at] == 0x2C and at + 10 < len(data):
            at = after_blocks(after_colours(at + 10, data[at + 9]) + 1)
        else:
            return data[at] != 0x2C
    # The byte that ends a frame's data may be missing, too.
    return at <= len(data) + 1


def frames(
    path: epath.Path, times: Timeline, wanted: Sequence[float], most_side: int | None = None
) -> Iterator[tuple[float, np.ndarray]]:
    """Decodes a video in one pass and yields, for each wanted time, the first frame from then on.

    A frame that serves several times is yielded once. If all times are wanted, so are all frames;
    if the last is, so is the last frame, whatever its time turns out to be.

    Where few frames are wanted of a file that lists its keyframes, what they do not take is not
    decoded. They are the same to the bit: where one of them is missing or damaged after all, all is
    decoded. Damage elsewhere is not seen then.

    Args:
      path: Path of the video.
      times: See `timeline`.
      wanted: Some of its times, rising.
      most_side: Longer side to which very large frames are scaled down.

    Yields:
      Times in seconds, strictly rising, and uint8[H, W, 3], as a player shows them.

    Raises:
      UserError: As `opened`, or if too few frames can be decoded.
    """
    found = 0
    for second, frame, track in _without_the_rest(path, times, wanted):
        yield second, _as_shown(path, frame, track, most_side)
        found += 1
    if found < len(wanted):
        yield from _in_full(path, times, wanted[found:], most_side)


def _without_the_rest(
    path: epath.Path, times: Timeline, wanted: Sequence[float]
) -> Iterator[tuple[float, av.VideoFrame, av.VideoStream]]:
    """Yields the first ones of the frames at wanted times that can be had without all others."""
    if not times.spans:
        return
    span_at = dict(zip(times.seconds, times.spans, strict=True))
    parts = random_access.parts([span_at[second] for second in wanted], len(times.spans))
    if parts is None:
        return
    damage, targets = _Damage(), iter(wanted)
    with opened(path) as (container, track):
        if _has_alpha(track):
            return
        decoded = _decoded(path, track, _packets_of(parts, container, track), damage)
        target = next(targets)
        for second, frame in _timed(decoded, times, track):
            # Fields take those beside them.
            if damage.packets or damage.is_interlaced or second > target + 1e-6:
                return
            if second >= target - 1e-6:
                yield second, frame, track
                if (target := next(targets, None)) is None:
                    return


def _packets_of(
    parts: Sequence[range], container: av.container.InputContainer, track: av.VideoStream
) -> Iterator[av.Packet | None]:
    """The packets of parts of a track; None after each part, where the decoder begins anew."""
    left = iter(parts)
    part = next(left)
    for number, packet in enumerate(_packets(container, track)):
        if number == part.stop:
            yield None
            if (part := next(left, None)) is None:
                return
        if number >= part.start:
            yield packet
    yield None


def _in_full(
    path: epath.Path, times: Timeline, wanted: Sequence[float], most_side: int | None
) -> Iterator[tuple[float, np.ndarray]]:
    """As `frames`; all is decoded."""
    every = len(wanted) == len(times.seconds)
    to_the_end = wanted[-1] == times.seconds[-1]
    targets = iter(wanted)
    target = next(targets, None)
    count, last, held = 0, 0.0, None
    with opened(path) as (container, track):
        damage = _Damage()
        packets = itertools.chain(_packets(container, track), [None])
        decoded = _timed(
            _deinterlaced(path, track, _decoded(path, track, packets, damage)), times, track
        )
        for second, frame in decoded:
            count, last = count + 1, second
            if not every and (target is None or second < target - 1e-6):
                held = second, frame
                if target is None and not to_the_end:
                    break
                continue
            yield second, _as_shown(path, frame, track, most_side)
            held = None
            # Both times come from the same ticks and are equal up to floating point.
            while target is not None and target <= second + 1e-6:
                target = next(targets, None)
        if held is not None and (target is not None or to_the_end):
            yield held[0], _as_shown(path, held[1], track, most_side)
    if target is not None or to_the_end:
        _judge(path, times, count, last, damage)
    elif damage.packets:
        remarks.add(f"{path} has {damage.packets} damaged frames, which are left out")


@dataclasses.dataclass
class _Damage:
    """Number of packets that cannot be decoded, and whether frames are made of two of them."""

    packets: int = 0
    is_interlaced: bool = False


def _judge(path: epath.Path, times: Timeline, count: int, last: float, damage: _Damage) -> None:
    """Refuses or remarks on a video that was decoded to its end."""
    planned = len(times.seconds)
    if not count:
        raise UserError(f"{path} has no frame that can be decoded")
    # Some gifs count a last frame that no decoder returns.
    if times.seconds[-1] - last > times.tolerance and count < planned - 1:
        raise UserError(
            f"{path} is damaged or cut short: its frames can be decoded up to {last:.1f} s of "
            f"{times.seconds[-1]:.1f} s"
        )
    if count < _LEAST_SHARE * planned:
        raise UserError(f"{path} is damaged: {count} of its {planned} frames can be decoded")
    lost = planned - count
    if damage.packets or (lost > _NOTICED_SHARE * planned and not damage.is_interlaced):
        lost = max(damage.packets, 0 if damage.is_interlaced else lost)
        remarks.add(f"{path} has {lost} damaged frames of {planned}, which are left out")


def _decoded(
    path: epath.Path,
    track: av.VideoStream,
    packets: Iterable[av.Packet | None],
    damage: _Damage,
) -> Iterator[av.VideoFrame]:
    """The frames of packets in the order in which they are shown; None is the end of a part."""
    decoder = _decoder_with_alpha(path, track) or track.codec_context
    width, height = track.width, track.height
    for packet in packets:
        try:
            decoded = decoder.decode(packet)
            if packet is None:
                decoder.flush_buffers()
        except av.error.ArgumentError:
            if not width or not height:
                raise UserError(
                    f"{path} has more than {MAX_MEGAPIXELS} megapixels a frame"
                ) from None
            raise UserError(
                f"{path} changes the size of its frames, which is {width}x{height} by its header: "
                "a process has one size throughout"
            ) from None
        except av.error.FFmpegError:
            damage.packets += 1
            continue
        for frame in decoded:
            if frame.is_corrupt:
                damage.packets += 1
            else:
                damage.is_interlaced |= frame.interlaced_frame
                yield frame


def _decoder_with_alpha(path: epath.Path, track: av.VideoStream) -> Any:
    """A decoder that reads the alpha channel of a webm, which FFmpeg's own decoders pass over.

    None if there is no such channel.
    """
    if not _has_alpha(track):
        return None
    names = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
    try:
        return av.CodecContext.create(names[track.codec_context.name], "r")
    except (KeyError, ValueError, av.error.FFmpegError):
        remarks.add(f"{path} has transparent parts, which are shown as its decoder fills them")
        return None


def _has_alpha(track: av.VideoStream) -> bool:
    return track.metadata.get("alpha_mode", track.metadata.get("ALPHA_MODE")) == "1"


def _timed(
    decoded: Iterator[av.VideoFrame], times: Timeline, track: av.VideoStream
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Frames with their times in seconds, which rise strictly.

    A container may state when frames are shown, when they are decoded, or both, and either may be
    wrong. As in FFmpeg (`guess_correct_pts`), the one that ran backwards less often is believed.
    """
    last = {"pts": -(2**63), "dts": -(2**63)}
    faults = {"pts": 0, "dts": 0}
    before = None
    for index, frame in enumerate(decoded):
        stated = {"pts": frame.pts, "dts": frame.dts}
        for kind, tick in stated.items():
            if tick is not None:
                faults[kind] += tick <= last[kind]
                last[kind] = tick
        believed = "dts" if stated["pts"] is None or faults["pts"] > faults["dts"] else "pts"
        if times.rate is not None:
            second = float(index / times.rate)
        elif stated[believed] is not None:
            second = max(0.0, float((stated[believed] - times.first) * track.time_base))
        else:
            second = 0.0 if before is None else before + times.step
        before = second if before is None else max(second, before + 1e-6)
        yield before, frame


def _deinterlaced(
    path: epath.Path, track: av.VideoStream, decoded: Iterator[av.VideoFrame]
) -> Iterator[av.VideoFrame]:
    """Frames of which those made of two fields, taken at two times, have lost their combs."""
    graph = None
    for frame in decoded:
        if graph is None and frame.interlaced_frame:
            try:
                graph = _deinterlacer(frame, track)
            except (av.error.FFmpegError, ValueError):
                remarks.add(f"{path} is interlaced and cannot be deinterlaced: motion shows combs")
        if graph is None:
            yield frame
            continue
        graph.vpush(frame)
        yield from _pulled(graph, track)
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph, track)


def _deinterlacer(frame: av.VideoFrame, track: av.VideoStream) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=track.time_base
    )
    bwdif = graph.add("bwdif", mode="send_frame", deint="interlaced")
    graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
    return graph


def _pulled(graph: av.filter.Graph, track: av.VideoStream) -> Iterator[av.VideoFrame]:
    """The frames that a filter has ready, with times in units of the track's time base."""
    with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
        while True:
            frame = graph.vpull()
            if frame.pts is not None:
                frame.pts = round(frame.pts * frame.time_base / track.time_base)
            yield frame


def _as_shown(
    path: epath.Path, frame: av.VideoFrame, track: av.VideoStream, most_side: int | None
) -> np.ndarray:
    """RGB as a player shows it: in sRGB, over white, with square pixels, upright."""
    aspect = float(track.sample_aspect_ratio or 1)
    if not 1 / _WIDEST_PIXEL <= aspect <= _WIDEST_PIXEL:
        raise UserError(f"{path} has pixels {aspect:g} times as wide as high, which cannot be")
    width = max(1, round(frame.width * aspect))
    if width * frame.height > MAX_MEGAPIXELS * 10**6:
        raise UserError(f"{path} has more than {MAX_MEGAPIXELS} megapixels a frame")
    height = frame.height
    if most_side and width * height > _LARGE and max(width, height) > most_side:
        # Before they are converted, for the sake of memory.
        scale = most_side / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    rgb_HWC = _in_srgb(path, frame, width, height)
    return np.ascontiguousarray(_upright(rgb_HWC, frame))


def _in_srgb(path: epath.Path, frame: av.VideoFrame, width: int, height: int) -> np.ndarray:
    primaries, transfer = frame.color_primaries, frame.color_trc
    if frame.colorspace in colour.UNCONVERTED_MATRICES:
        what = colour.UNCONVERTED_MATRICES[frame.colorspace]
        raise UserError(f"{path} has colours in {what}, which are not converted: export it as SDR")
    if what := _unconverted(frame):
        remarks.add(f"{path} has {what}, which is not converted: its colours are off")
    profile = _side_data(frame, "ICC_PROFILE")
    has_alpha = frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
    is_deep = not colour.is_srgb(primaries, transfer)
    # Planar, since swscale mixes up the chroma of 4:2:0 in packed pixels of 16 bits.
    shallow, deep = ("gbrap", "gbrap16le") if has_alpha else ("gbrp", "gbrp16le")
    pixels_HWC = frame.reformat(
        width=width,
        height=height,
        format=deep if is_deep else shallow,
        src_colorspace=_matrix(frame),
        interpolation=EXACT,
        threads=1,
    ).to_ndarray()
    rgb_HWC = colour.to_srgb(pixels_HWC[..., :3], primaries, transfer)
    if profile is not None:
        image = Image.fromarray(np.ascontiguousarray(rgb_HWC))
        rgb_HWC = np.asarray(colour.from_profile(image, profile, str(path)))
    if not has_alpha:
        return rgb_HWC
    alpha_HW1 = pixels_HWC[..., 3:]
    return _over_white(rgb_HWC, (alpha_HW1 // 257).astype(np.uint8) if is_deep else alpha_HW1)


def _over_white(rgb_HWC: np.ndarray, alpha_HW1: np.ndarray) -> np.ndarray:
    """Transparent pixels (gif, some webm and mov) show white paper."""
    if alpha_HW1.min() == 255:
        return rgb_HWC
    shown_HWC = np.empty(rgb_HWC.shape, np.uint8)
    # In strips, so that large frames take little more memory than themselves.
    step = max(1, _STRIP // rgb_HWC.shape[1])
    for top in range(0, len(rgb_HWC), step):
        strip = slice(top, top + step)
        alpha = alpha_HW1[strip].astype(np.uint16)
        shown_HWC[strip] = (rgb_HWC[strip] * alpha + 255 * (255 - alpha) + 127) // 255
    return shown_HWC


def _unconverted(frame: av.VideoFrame) -> str | None:
    if frame.color_trc == colour.UNSTATED and _side_data(frame, "DOVI_METADATA") is not None:
        return "the colours of Dolby Vision alone"
    return colour.unconverted(frame.color_primaries, frame.color_trc)


def _side_data(frame: av.VideoFrame, kind: str) -> bytes | None:
    try:
        known: Any = frame.side_data
        return bytes(known[kind])
    except (KeyError, ValueError):
        return None  # PyAV refuses all if it does not know the kind of one


def _matrix(frame: av.VideoFrame) -> Colorspace | None:
    """The matrix by which a frame's YUV was made, by what else is stated if it is not.

    A file that states nothing was written by a program that uses FFmpeg, in BT.601 whatever its
    size; cameras state theirs.
    """
    if frame.colorspace == colour.RGB:
        return None
    if frame.colorspace in _MATRICES:
        return _MATRICES[frame.colorspace]
    if frame.color_primaries == colour.BT2020 or frame.color_trc in (colour.PQ, colour.HLG):
        return Colorspace.BT2020
    is_hd = colour.BT709 in (frame.color_primaries, frame.color_trc)
    return Colorspace.ITU709 if is_hd else Colorspace.ITU601


def _upright(rgb_HWC: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """The frame turned and mirrored as its display matrix says, to the nearest quarter turn."""
    data = _side_data(frame, "DISPLAYMATRIX")
    if data is None:
        return np.rot90(rgb_HWC, round(frame.rotation / 90) % 4)
    # A point (x, y) of the frame is shown at (a x + c y, b x + d y).
    a, b, _, c, d, *_ = np.frombuffer(data, np.int32).astype(np.int64)
    if abs(b) + abs(c) > abs(a) + abs(d):
        rgb_HWC = rgb_HWC.swapaxes(0, 1)
        across, down = c, b
    else:
        across, down = a, d
    return rgb_HWC[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]

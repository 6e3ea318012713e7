"""Reads videos and animations, and writes generated ones."""

import contextlib
import fractions
import html
import math
import os
import warnings
from collections.abc import Iterator

import av
import numpy as np
from etils import epath
from PIL import Image

from painting_jax import files
from painting_jax.data import pictures
from painting_jax.errors import UserError

# Suffixes of video files. FFmpeg decides by the content whether it can read one.
SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg"),
    *(".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp", ".ogv"),
)
# Suffixes of files that hold a picture or an animation; the header says which.
ANIMATIONS = (".gif", ".webp", ".png", ".apng")
TYPES = "mp4, mov, webm, mkv, gif, webp and the like"  # in error messages
# FFmpeg cannot read an animated webp.
_READ_BY_PILLOW = (".webp", ".png", ".apng")

# The term of the IPTC's controlled vocabulary for pictures made by a trained model.
GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

# The duration in a container's header and the time of its last frame differ by about a frame. They
# differ by more than this share in a truncated file.
_MISSING_SHARE = 0.1

Box = tuple[int, int, int, int]


def is_video(path: epath.PathLike) -> bool:
    """Whether a file is a video or an animation, by its suffix and, for pictures, its header.

    A damaged gif counts as an animation, a damaged webp or png as a picture.
    """
    path = epath.Path(path)
    suffix = path.suffix.lower()
    if suffix not in ANIMATIONS:
        return suffix in SUFFIXES
    try:
        with _open_animation(path) as image:
            return getattr(image, "is_animated", False)
    except (OSError, UserError):
        return suffix == ".gif"


def read(
    path: epath.PathLike,
    *,
    start: float | None = None,
    end: float | None = None,
    max_frames: int = 128,
    max_side: int | None = None,
    crop: Box | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Reads up to `max_frames` evenly spaced frames of a video between two times.

    The file is streamed: only one frame is held in memory besides those returned.

    Args:
      path: a video that FFmpeg reads, or an animated gif, webp or png.
      start: seconds from the beginning; None is the first frame.
      end: seconds from the beginning, inclusive; None is the last frame.
      max_frames: at least 1.
      max_side: maximum length of the longer side; larger frames are scaled down to it.
      crop: (x0, y0, x1, y1) in pixels of the upright frame, applied before scaling.

    Returns:
      frames_THWC uint8 RGB, and seconds_T float64, strictly rising, 0 at the video's first frame.

    Raises:
      UserError: if the file is missing, damaged, truncated or not a video, if it has no frame
        between the times, if its frames exceed `pictures.MAX_MEGAPIXELS` or change size, or if the
        crop does not lie within them.
    """
    path = epath.Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist: name a video ({TYPES})")
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a video ({TYPES})")
    frames = _animation_frames if _is_read_by_pillow(path) else _container_frames
    seconds = frame_times(path)
    inside = [
        index
        for index, second in enumerate(seconds)
        if (start is None or second >= start) and (end is None or second <= end)
    ]
    if not inside:
        span = f"{start or 0:g} to {'the end' if end is None else f'{end:g}'} s"
        raise UserError(f"{path} has no frame from {span}: it lasts {seconds[-1]:.1f} s")
    chosen = [inside[index] for index in evenly_spaced(len(inside), max_frames)]
    wanted = [seconds[index] for index in chosen]
    # Frames are scaled as they are decoded, so that no full-size ones are kept.
    decoded, when = [], []
    for second, frame_HWC in frames(path, wanted):
        decoded.append(_prepared(path, frame_HWC, crop, max_side))
        when.append(second)
    # Some containers (gif) count a last frame that no decoder returns: one may be missing.
    if len(decoded) < max(1, min(len(wanted) - 1, (1 - _MISSING_SHARE) * len(wanted))):
        raise UserError(f"{path} is cut short: {len(decoded)} of {len(wanted)} frames can be read")
    if len({frame_HWC.shape for frame_HWC in decoded}) > 1:
        raise UserError(f"{path} changes the size of its frames: a process has one throughout")
    return np.stack(decoded), np.array(when)


def frame_times(path: epath.PathLike) -> list[float]:
    """Times of all frames of a video, rising, in seconds from the first. Errors as in `read`."""
    path = epath.Path(path)
    return _animation_times(path) if _is_read_by_pillow(path) else _container_times(path)


def _is_read_by_pillow(path: epath.Path) -> bool:
    return path.suffix.lower() in _READ_BY_PILLOW


def evenly_spaced(count: int, at_most: int) -> list[int]:
    """Up to `at_most` distinct, evenly spaced indices of range(count), both ends included."""
    if at_most == 1:
        return [count - 1]
    return np.unique(np.linspace(0, count - 1, min(count, at_most)).round().astype(int)).tolist()


def _prepared(
    path: epath.Path, frame_HWC: np.ndarray, crop: Box | None, max_side: int | None
) -> np.ndarray:
    if crop is not None:
        frame_HWC = crop_picture(frame_HWC, crop, str(path))
    return shrink(frame_HWC, max_side)


def crop_picture(picture_HWC: np.ndarray, crop: Box, name: str) -> np.ndarray:
    """Crops a picture to (x0, y0, x1, y1); `UserError` unless the box lies within it."""
    x0, y0, x1, y1 = crop
    height, width = picture_HWC.shape[:2]
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise UserError(
            f"{name}: crop {list(crop)} does not lie within its {width}x{height} pixels"
        )
    return picture_HWC[y0:y1, x0:x1]


def shrink(picture_HWC: np.ndarray, max_side: int | None) -> np.ndarray:
    """Scales a picture down to at most `max_side` pixels on its longer side."""
    height, width = picture_HWC.shape[:2]
    longer = max(height, width)
    if max_side is None or longer <= max_side:
        return picture_HWC
    scale = max_side / longer
    return pictures.resize(picture_HWC, max(1, round(height * scale)), max(1, round(width * scale)))


def enlarged(frames_THWC: np.ndarray, side: int) -> np.ndarray:
    """Frames enlarged to at least `side` pixels on the longer side, as players blur small ones.

    Enlarged frames get even sides, which H.264 needs.
    """
    height, width = frames_THWC.shape[1:3]
    factor = math.ceil(side / max(height, width))
    if factor == 1:
        return frames_THWC
    size = [2 * math.ceil(side * factor / 2) for side in (height, width)]
    return np.stack([pictures.resize(frame_HWC, *size) for frame_HWC in frames_THWC])


@contextlib.contextmanager
def _open_container(
    path: epath.Path,
) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Opens the video stream of a file; any error of FFmpeg's becomes a `UserError`."""
    try:
        with path.open("rb") as file, av.open(file) as container:
            if not container.streams.video:
                raise UserError(f"{path} has no video in it")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise UserError(f"{path} has a codec that FFmpeg does not know")
            if stream.width * stream.height > pictures.MAX_MEGAPIXELS * 10**6:
                raise UserError(
                    f"{path} has {stream.width}x{stream.height} pixels a frame, more than "
                    f"{pictures.MAX_MEGAPIXELS} megapixels"
                )
            stream.thread_type = "AUTO"
            yield container, stream
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path} is not a readable video: {reason}") from None


def _container_times(path: epath.Path) -> list[float]:
    """Times of all frames in seconds from the first, rising, read without decoding any."""
    if path.suffix.lower() == ".gif":
        _check_gif_ends(path)
    with _open_container(path) as (container, stream):
        shown_for = {
            packet.pts: packet.duration or 0
            for packet in container.demux(stream)
            if packet.pts is not None
        }
        if not shown_for:
            raise UserError(f"{path} has no frames")
        ticks = sorted(shown_for)
        seconds = [float((tick - ticks[0]) * stream.time_base) for tick in ticks]
        if stream.duration:
            duration = float(stream.duration * stream.time_base)
        else:
            duration = (container.duration or 0) / av.time_base
        step = seconds[-1] / max(1, len(seconds) - 1)
        # A last frame that is shown for a long time is not a missing part.
        end = seconds[-1] + float(shown_for[ticks[-1]] * stream.time_base)
        if duration - end > max(_MISSING_SHARE * duration, 2 * step) and step > 0:
            raise UserError(
                f"{path} is cut short: its frames end at {end:.1f} s of {duration:.1f} s"
            )
        return seconds


def _check_gif_ends(path: epath.Path) -> None:
    """Checks for the trailer byte: a gif states no duration by which to detect truncation."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 64))
        if not file.read().rstrip(b"\0").endswith(b";"):
            raise UserError(f"{path} is cut short: it does not end as a gif does")


def _container_frames(path: epath.Path, wanted: list[float]) -> Iterator[tuple[float, np.ndarray]]:
    """Decodes in one pass and yields, for each wanted time, the first frame at or after it.

    If the frames end before the wanted times do, the last frame is yielded for the rest.
    """
    remaining = iter(wanted)
    target = next(remaining, None)
    first, left_over = None, None
    with _open_container(path) as (container, stream):
        for frame in container.decode(stream):
            if target is None:
                return
            if frame.pts is None:
                continue
            first = frame.pts if first is None else first
            second = float((frame.pts - first) * stream.time_base)
            # Both times come from the same ticks and are equal up to floating point.
            if second < target - 1e-6:
                left_over = second, frame
                continue
            yield second, _upright(frame, stream)
            target, left_over = next(remaining, None), None
        if target is not None and left_over is not None:
            second, frame = left_over
            yield second, _upright(frame, stream)


def _upright(frame: av.VideoFrame, stream: av.VideoStream) -> np.ndarray:
    """RGB as a player shows it: square pixels, rotated as the metadata says."""
    aspect = stream.sample_aspect_ratio
    width = frame.width
    if aspect and aspect != 1:
        width = max(1, round(frame.width * float(aspect)))
        if width * frame.height > pictures.MAX_MEGAPIXELS * 10**6:
            raise ValueError(f"its pixels are {float(aspect):g} times as wide as high")
    if "a" in frame.format.name and frame.format.name not in ("gray", "gray10le", "gray12le"):
        # Transparent pixels (gif, some webm) show white paper.
        rgba_HWC = frame.to_ndarray(format="rgba", width=width, height=frame.height)
        alpha = rgba_HWC[..., 3:].astype(np.uint16)
        rgb_HWC = ((rgba_HWC[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)
    else:
        rgb_HWC = frame.to_ndarray(format="rgb24", width=width, height=frame.height)
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb_HWC, turns)) if turns else rgb_HWC


@contextlib.contextmanager
def _open_animation(path: epath.Path) -> Iterator[Image.Image]:
    """Opens a file with Pillow; any decoding error becomes a `UserError`."""
    too_large = f"{path} has more than {pictures.MAX_MEGAPIXELS} megapixels a frame"
    with path.open("rb") as file:
        try:
            with warnings.catch_warnings():
                # Pillow warns of large pictures at its own bound; ours is checked below.
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image = Image.open(file, formats=("WEBP", "PNG", "GIF"))
            if math.prod(image.size) > pictures.MAX_MEGAPIXELS * 10**6:
                raise UserError(too_large)
            with image:
                yield image
        except Image.DecompressionBombError:
            raise UserError(too_large) from None
        except pictures.DAMAGE as error:
            kind = path.suffix.lower().removeprefix(".")
            raise UserError(f"{path} is not a readable {kind}: {error}") from None


def _decoded(image: Image.Image) -> Iterator[tuple[float, Image.Image]]:
    """Decodes the frames of an animation one after the other, with their times in seconds."""
    elapsed = 0.0
    # A png may begin with a still picture for programs that show no animations.
    for index in range(int(image.info.get("default_image", False)), getattr(image, "n_frames", 1)):
        image.seek(index)
        image.load()
        yield elapsed, image
        elapsed += max(1, image.info.get("duration") or 100) / 1000


def _animation_times(path: epath.Path) -> list[float]:
    with _open_animation(path) as image:
        return [second for second, _ in _decoded(image)]


def _animation_frames(path: epath.Path, wanted: list[float]) -> Iterator[tuple[float, np.ndarray]]:
    wanted = set(wanted)
    with _open_animation(path) as image:
        for second, frame in _decoded(image):
            if second in wanted:
                rgba = frame.convert("RGBA")
                white = Image.new("RGBA", rgba.size, "white")
                yield second, np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))


def write_mp4(
    path: str | os.PathLike,
    frames_THWC: np.ndarray,
    fps: float,
    metadata: dict[str, str] | None = None,
) -> None:
    """Writes an H.264 video that every player shows.

    Its pixel format (yuv420p) needs even sides: an odd side is padded by repeating the last row or
    column.

    Args:
      path: of the file, which appears complete or not at all.
      frames_THWC: uint8 RGB.
      fps: frames a second.
      metadata: tags; mp4 keeps "title", "artist", "comment", "description" and "copyright".
    """
    _, height, width, _ = frames_THWC.shape
    padding = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))
    frames_THWC = np.pad(frames_THWC, padding, mode="edge")
    rate = fractions.Fraction(fps).limit_denominator(1000)
    with files.written_beside(path) as temporary:
        # With one thread, the same frames give the same bytes on every machine.
        options = {"crf": "16", "preset": "medium", "threads": "1"}
        with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as out:
            out.metadata.update(metadata or {})
            stream = out.add_stream("libx264", rate=rate, options=options)
            stream.height, stream.width = frames_THWC.shape[1:3]
            stream.pix_fmt = "yuv420p"
            for frame_HWC in frames_THWC:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
                out.mux(stream.encode(frame))
            out.mux(stream.encode())


def write_webp(
    path: str | os.PathLike,
    frames_THWC: np.ndarray,
    fps: float,
    metadata: dict[str, str] | None = None,
    *,
    lossless: bool = False,
    hold_last: float = 1.5,
) -> None:
    """Writes an animated webp that loops forever.

    Args:
      path: of the file, which appears complete or not at all.
      frames_THWC: uint8 RGB.
      fps: frames a second.
      metadata: becomes the XMP packet of `provenance`.
      lossless: keep the exact pixels; otherwise quality 90.
      hold_last: seconds for which the last frame is shown before the loop starts again.
    """
    images = [Image.fromarray(frame_HWC) for frame_HWC in frames_THWC]
    durations = [round(1000 / fps)] * len(images)
    durations[-1] += round(1000 * hold_last)
    with files.written_beside(path) as temporary:
        images[0].save(
            temporary,
            "WEBP",
            save_all=True,
            append_images=images[1:],
            duration=durations,
            loop=0,
            lossless=lossless,
            quality=90,
            xmp=provenance(metadata or {}),
        )


def provenance(metadata: dict[str, str]) -> bytes:
    """An XMP packet that marks a picture as generated, as the IPTC recommends.

    Args:
      metadata: "title" and "description" go into their own fields; the rest is appended to the
        description as "key: value" lines.

    Returns:
      UTF-8 XML, for the XMP field of webp, png or jpeg.
    """
    rest = [f"{key}: {value}" for key, value in metadata.items() if key not in _OWN_FIELDS]
    title = html.escape(metadata.get("title", ""))
    text = html.escape("\n".join([*filter(None, [metadata.get("description")]), *rest]))
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="{GENERATED}">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()


_OWN_FIELDS = ("title", "description")


def read_metadata(path: epath.PathLike) -> dict[str, str]:
    """The tags of a video, or {"xmp": packet} for a webp.

    Raises:
      UserError: if the file cannot be read.
    """
    path = epath.Path(path)
    if path.suffix.lower() == ".webp":
        with _open_animation(path) as image:
            packet = image.info.get("xmp", b"")
        return {"xmp": packet.decode()} if packet else {}
    with _open_container(path) as (container, _):
        return dict(container.metadata)

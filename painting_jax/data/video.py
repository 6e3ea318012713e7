"""Reads videos and animations, and writes generated ones."""

import fractions
import functools
import html
import math
import os
from collections.abc import Iterator, Sequence

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from etils import epath
from PIL import Image

from painting_jax import files
from painting_jax.data import containers, file_kinds, pictures, remarks
from painting_jax.data.file_kinds import Kind
from painting_jax.errors import UserError

TYPES = "mp4, mov, webm, mkv, gif, webp and the like"  # in error messages
# Formats of pictures that may move; FFmpeg cannot read an animated webp.
_ANIMATED = ("WEBP", "PNG", "AVIF", "TIFF", "GIF")

# The term of the IPTC's controlled vocabulary for pictures made by a trained model.
GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

_SMALLEST_FRAME = 8  # bytes
_SUBFILE = 254  # the tag of a tiff that tells pages from small copies

Box = tuple[int, int, int, int]


def is_video(path: epath.PathLike) -> bool:
    """Whether a file is a video or an animation, by its content.

    A tiff of several pages of one size is an animation. A damaged gif counts as one, too; other
    damaged files are what their suffix says, and those of pictures do not move.
    """
    path = epath.Path(path)
    kind = file_kinds.kind(path)
    if kind is not Kind.PICTURE:
        return kind is Kind.VIDEO
    if file_kinds.head(path).startswith(b"\xff\xd8"):
        return False  # a jpg; some hold a second picture, of another size or view
    try:
        with pictures.opened(path, _ANIMATED) as image:
            return len(_frame_numbers(image, path)) > 1
    except UserError:
        return path.suffix.lower() == ".gif"


def read(
    path: epath.PathLike,
    *,
    start: float | None = None,
    end: float | None = None,
    max_frames: int = 128,
    max_side: int | None = None,
    crop: Box | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Reads up to `max_frames` frames of a video between two times, evenly spread over the time.

    The file is streamed: only one frame is held in memory besides those returned. Damaged frames
    are left out with a remark (`remarks`).

    Args:
      path: a video that FFmpeg reads, an animated gif, webp, png or avif, or a tiff of several
        pages.
      start: seconds from the beginning; None is the first frame.
      end: seconds from the beginning, inclusive; None is the last frame.
      max_frames: at least 1.
      max_side: maximum length of the longer side; larger frames are scaled down to it.
      crop: (x0, y0, x1, y1) in pixels of the upright frame, applied before scaling.

    Returns:
      frames_THWC uint8 RGB, and seconds_T float64, strictly rising, 0 at the video's first frame.

    Raises:
      UserError: if the file is missing, truncated, not a video or mostly damaged, if it has no
        frame between the times, if its frames exceed `containers.MAX_MEGAPIXELS` or change size,
        if a side of those returned has fewer than `pictures.MIN_SIDE` pixels, or if the crop does
        not lie within them.
    """
    path = epath.Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist: name a video ({TYPES})")
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a video ({TYPES})")
    if _is_read_by_pillow(path):
        seconds = _animation_times(path)
        frames = functools.partial(_animation_frames, path)
    else:
        times = containers.timeline(path)
        seconds = list(times.seconds)
        # A crop is stated in the pixels of the file.
        most_side = 2 * max_side if max_side and crop is None else None
        frames = functools.partial(containers.frames, path, times, most_side=most_side)
    inside = [
        second
        for second in seconds
        if (start is None or second >= start) and (end is None or second <= end)
    ]
    if not inside:
        span = f"{start or 0:g} to {'the end' if end is None else f'{end:g}'} s"
        raise UserError(f"{path} has no frame from {span}: it lasts {seconds[-1]:.1f} s")
    wanted = [inside[index] for index in evenly_timed(inside, max_frames)]
    # Frames are scaled as they are decoded, so that no full-size ones are kept, and each goes into
    # its place, since a list of them would take as much memory again.
    found_NHWC, when, full_shape = np.empty(0, np.uint8), [], None
    for second, frame_HWC in frames(wanted):
        full_shape = full_shape or frame_HWC.shape
        if frame_HWC.shape != full_shape:
            raise UserError(f"{path} changes the size of its frames: a process has one throughout")
        prepared_HWC = _prepared(path, frame_HWC, crop, max_side)
        if min(prepared_HWC.shape[:2]) < pictures.MIN_SIDE:
            height, width = prepared_HWC.shape[:2]
            raise UserError(
                f"{path} has frames of {width}x{height} pixels: each side needs at least "
                f"{pictures.MIN_SIDE}"
            )
        if not when:
            found_NHWC = np.empty((len(wanted), *prepared_HWC.shape), np.uint8)
        if len(when) == max_frames:
            # More frames were decoded than the file announced: the last is the one to keep.
            del when[-1]
        elif len(when) == len(found_NHWC):
            found_NHWC = np.concatenate([found_NHWC, prepared_HWC[None]])
        found_NHWC[len(when)] = prepared_HWC
        when.append(second)
    return found_NHWC[: len(when)], np.array(when)


def frame_times(path: epath.PathLike) -> list[float]:
    """Times of all frames of a video, rising, in seconds from the first. Errors as in `read`."""
    path = epath.Path(path)
    if _is_read_by_pillow(path):
        return _animation_times(path)
    return list(containers.timeline(path).seconds)


def _is_read_by_pillow(path: epath.Path) -> bool:
    is_picture = file_kinds.kind(path) is Kind.PICTURE
    # FFmpeg reads damaged gifs further than Pillow does.
    return is_picture and not file_kinds.head(path).startswith(b"GIF8")


def evenly_spaced(count: int, at_most: int) -> list[int]:
    """Up to `at_most` distinct, evenly spaced indices of range(count), both ends included."""
    if at_most == 1:
        return [count - 1]
    return np.unique(np.linspace(0, count - 1, min(count, at_most)).round().astype(int)).tolist()


def evenly_timed(seconds: Sequence[float], at_most: int) -> list[int]:
    """Indices of up to `at_most` moments, evenly spread over their time, both ends included.

    Where moments are sparse, fewer are chosen: none counts twice.
    """
    if len(seconds) <= at_most or at_most == 1:
        return evenly_spaced(len(seconds), at_most)
    second_N = np.asarray(seconds)
    target_T = np.linspace(second_N[0], second_N[-1], at_most)
    after_T = np.clip(np.searchsorted(second_N, target_T), 1, len(second_N) - 1)
    is_before_T = target_T - second_N[after_T - 1] <= second_N[after_T] - target_T
    return np.unique(after_T - is_before_T).tolist()


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


def _frame_numbers(image: Image.Image, path: epath.PathLike) -> list[int]:
    """Numbers of the frames of an animation, or of the full-size pages of a tiff."""
    # How many there are is a claim in a png: no frame takes fewer bytes than its header.
    most = max(1, epath.Path(path).stat().length // _SMALLEST_FRAME)
    count = min(getattr(image, "n_frames", 1), most)
    if image.format == "TIFF":
        pages, size = [], image.size
        for number in range(count):
            image.seek(number)
            # A page may be a small copy of another.
            if image.size == size and not image.tag_v2.get(_SUBFILE, 0) & 1:
                pages.append(number)
        return pages
    # A png may begin with a still picture for programs that show no animations.
    return list(range(int(image.info.get("default_image", False)), count))


def _decoded(image: Image.Image, name: str) -> Iterator[tuple[float, Image.Image]]:
    """Decodes the frames of an animation one after the other, with their times in seconds.

    Raises:
      UserError: If frames at the end cannot be decoded. Others that cannot are left out.
    """
    elapsed, damaged = 0.0, 0
    numbers = _frame_numbers(image, name)
    is_last_whole = False
    for number in numbers:
        try:
            image.seek(number)
            image.load()
        except pictures.DAMAGE:
            damaged, is_last_whole = damaged + 1, False
        else:
            is_last_whole = True
            yield elapsed, image
        elapsed += max(1, image.info.get("duration") or 100) / 1000
    if not is_last_whole:
        raise UserError(
            f"{name} is cut short or damaged: {len(numbers) - damaged} of its {len(numbers)} "
            "frames can be decoded, and not the last one"
        )
    if damaged:
        remarks.add(f"{name} has {damaged} damaged frames of {len(numbers)}, which are left out")


def _animation_times(path: epath.Path) -> list[float]:
    with pictures.opened(path, _ANIMATED) as image:
        if math.prod(image.size) > containers.MAX_MEGAPIXELS * 10**6:
            width, height = image.size
            raise UserError(
                f"{path} has {width}x{height} pixels a frame, more than "
                f"{containers.MAX_MEGAPIXELS} megapixels"
            )
        return [second for second, _ in _decoded(image, os.fspath(path))]


def _animation_frames(path: epath.Path, wanted: list[float]) -> Iterator[tuple[float, np.ndarray]]:
    wanted = set(wanted)
    name = os.fspath(path)
    with pictures.opened(path, _ANIMATED) as image:
        stated = pictures.cicp(image, path)
        for second, frame in _decoded(image, name):
            if second in wanted:
                yield second, pictures.shown(frame, name, stated)


def write_mp4(
    path: str | os.PathLike,
    frames_THWC: np.ndarray,
    fps: float,
    metadata: dict[str, str] | None = None,
) -> None:
    """Writes an H.264 video that every player shows.

    Its pixel format (yuv420p) needs even sides: an odd side is padded by repeating the last row or
    column. Colours are those of BT.709 in limited range, and the file says so: without that,
    players guess, and guess otherwise for large videos.

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
            _state_bt709(stream.codec_context)
            for frame_HWC in frames_THWC:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_HWC), format="rgb24")
                frame = frame.reformat(
                    format="yuv420p",
                    dst_colorspace=Colorspace.ITU709,
                    dst_color_range=ColorRange.MPEG,
                    interpolation=containers.EXACT,
                    threads=1,
                )
                _state_bt709(frame)
                out.mux(stream.encode(frame))
            out.mux(stream.encode())


def _state_bt709(what: av.VideoFrame | av.VideoCodecContext) -> None:
    what.colorspace = Colorspace.ITU709
    what.color_range = ColorRange.MPEG
    what.color_primaries = ColorPrimaries.BT709
    what.color_trc = ColorTrc.BT709


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
    if _is_read_by_pillow(path):
        with pictures.opened(path, _ANIMATED) as image:
            packet = image.info.get("xmp", b"")
        return {"xmp": packet.decode(errors="replace")} if packet else {}
    with containers.opened(path) as (container, _):
        return dict(container.metadata)

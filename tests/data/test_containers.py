"""Videos as phones, cameras, screen recorders and web tools write them, each made here."""

import contextlib
import fractions
import io
import json
import resource
import struct
import zlib

import av
import numpy as np
import pytest
from PIL import Image

from painting_jax.data import pictures, remarks, video
from painting_jax.errors import UserError
from tests.data import movies
from tests.data.test_colour import TO_2020, TO_P3, as_hlg, as_pq, linear

_INTERLACED = 0x40000 | 0x20000000  # FFmpeg's flags ildct and ilme
_HD = {"x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709"}


def read(path, **options):
    """Frames, times and remarks."""
    with remarks.collected() as notes:
        frames_THWC, second_T = video.read(path, **options)
    return frames_THWC, second_T, notes


def _close(found, expected, atol: float) -> None:
    np.testing.assert_allclose(np.asarray(found).astype(int), expected, atol=atol)


# Containers and codecs, those that were right before as well.


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.avi", "mpeg4", {"bf": "2"}),
        ("a.avi", "libx264", {"bf": "2"}),
        ("a.mov", "prores_ks", {"pix_fmt": "yuv422p10le"}),
        ("a.mov", "qtrle", {"pix_fmt": "rgb24"}),
        ("a.ts", "libx264", {}),
        ("a.m2ts", "libx264", {}),
        ("a.mpg", "mpeg2video", {}),
        ("a.vob", "mpeg2video", {}),
        ("a.wmv", "wmv2", {}),
        ("a.flv", "flv", {}),
        ("a.3gp", "mpeg4", {}),
        ("a.mxf", "mpeg2video", {}),
        ("a.y4m", "wrapped_avframe", {}),
        ("a.h264", "libx264", {}),
        ("a.nut", "ffv1", {}),
        ("a.ivf", "libvpx-vp9", {}),
        ("a.mp4", "libsvtav1", {}),
        ("a.mp4", "libx265", {"x265-params": "log-level=none"}),
        ("a.mkv", "libx264", {"pix_fmt": "yuv420p10le"}),
        ("a.mjpeg", "mjpeg", {"pix_fmt": "yuvj420p"}),
    ],
)
def test_every_frame_of_a_container_is_read(tmp_path, name, codec, options):
    options = dict(options)
    pix_fmt = options.pop("pix_fmt", "yuv420p")
    frames = movies.filling(12)
    movies.write(tmp_path / name, frames, codec, rate=25, pix_fmt=pix_fmt, options=options)
    found, second_T, notes = read(tmp_path / name)
    assert video.is_video(tmp_path / name)
    assert len(found) == 12
    assert np.all(np.diff(second_T) > 0)
    assert not notes
    _close(found[[0, -1], 40, 60], [(255, 255, 255), movies.RED], 4)


@pytest.mark.parametrize(
    "options", [{}, {"movflags": "frag_keyframe+empty_moov+default_base_moof"}]
)
def test_a_fragmented_mp4_is_read(tmp_path, options):
    frames = movies.filling(12)
    with av.open(str(tmp_path / "a.mp4"), "w", options=options) as out:
        stream = out.add_stream("libx264", rate=10, options={"g": "4"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame_HWC in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame_HWC, format="rgb24")))
        out.mux(stream.encode())
    assert ((tmp_path / "a.mp4").read_bytes().count(b"moof") > 1) == bool(options)
    found, second_T, notes = read(tmp_path / "a.mp4")
    assert len(found) == 12
    assert second_T == pytest.approx(np.arange(12) / 10, abs=1e-3)
    assert not notes
    _close(found[[0, -1], 40, 60], [(255, 255, 255), movies.RED], 4)


@pytest.mark.parametrize("disposal", [1, 2, 3])
def test_frames_of_a_gif_lie_on_what_the_one_before_left(tmp_path, disposal):
    """1 leaves a frame, 2 clears it to the paper, 3 brings back what was below it."""
    blank = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    frames = [Image.new("RGBA", (32, 32), (255, 255, 255, 255))]
    for left in (0, 8, 16):
        frame = blank.copy()
        frame.paste((200, 30, 30, 255), (left, 0, left + 8, 32))
        frames.append(frame)
    # The first frame always stays.
    frames[0].save(
        tmp_path / "a.gif",
        save_all=True,
        append_images=frames[1:],
        disposal=[1, *[disposal] * 3],
        duration=100,
        optimize=False,
    )
    found, _, _ = read(tmp_path / "a.gif")
    red = (found == (200, 30, 30)).all(-1)[:, 4, ::8]
    shown = {
        1: [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]],
        2: [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]],
        3: [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]],
    }[disposal]
    np.testing.assert_array_equal(red, shown)
    assert ((found == 255).all(-1) | (found == (200, 30, 30)).all(-1)).all()


@pytest.mark.parametrize("suffix", ["gif", "png", "jpg", "webp", "bin"])
def test_a_video_with_another_suffix_is_read(tmp_path, suffix):
    movies.write(tmp_path / "a.mp4", movies.filling(6))
    path = (tmp_path / "a.mp4").rename(tmp_path / f"b.{suffix}")
    assert video.is_video(path)
    assert len(read(path)[0]) == 6


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("suffix", [None, "mp4"])
def test_an_animation_of_pillow_is_read_whatever_its_suffix(tmp_path, format, suffix):
    images = [Image.fromarray(frame) for frame in movies.filling(5)]
    path = tmp_path / f"a.{suffix or format.lower()}"
    images[0].save(path, format, save_all=True, append_images=images[1:], duration=100)
    assert video.is_video(path)
    found, second_T, _ = read(path)
    assert len(found) == 5
    np.testing.assert_allclose(np.diff(second_T), 0.1)
    _close(found[[0, -1], 40, 60], [(255, 255, 255), movies.RED], 6)


def test_pages_of_a_tiff_that_are_small_copies_are_no_frames(tmp_path):
    pages = [Image.fromarray(frame) for frame in movies.filling(3)]
    small = pages[-1].resize((32, 24))
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=[*pages[1:], small])
    assert len(read(tmp_path / "a.tif")[0]) == 3
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=[small])
    assert not video.is_video(tmp_path / "b.tif")


def test_a_title_in_no_unicode_does_not_matter(tmp_path):
    movies.write(tmp_path / "a.mp4", movies.filling(4))
    video.write_mp4(tmp_path / "b.mp4", movies.filling(4), 4, {"title": "caf@"})
    path = tmp_path / "b.mp4"
    path.write_bytes(path.read_bytes().replace(b"caf@", b"caf\xe9"))
    assert len(read(path)[0]) == 4
    assert video.read_metadata(path)["title"].startswith("caf")


def test_a_playlist_in_place_of_a_video_opens_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    movies.write(tmp_path / "secret.mp4", movies.filling(4))
    (tmp_path / "a.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with pytest.raises(UserError, match=r"a\.mp4 is not a readable video"):
        video.read(tmp_path / "a.mp4")


# Colours.


@pytest.mark.parametrize(("encode", "transfer"), [(as_hlg, 18), (as_pq, 16)])
def test_hdr_video_becomes_srgb(tmp_path, encode, transfer):
    frames = np.repeat(encode(np.array([[(255, 255, 255)], [movies.RED]]))[:, None], 96, 1)
    frames = [frame.repeat(128, 1) for frame in frames for _ in range(3)]
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx265", rate=10, options={"x265-params": "log-level=none:crf=4"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p10le"
        for state in (stream.codec_context, *_bt2020(frames)):
            _state(state, 9, transfer, 9)
            if isinstance(state, av.VideoFrame):
                out.mux(stream.encode(state))
        out.mux(stream.encode())
    found, _, notes = read(path)
    _close(found[[0, -1], 40, 60], [(255, 255, 255), movies.RED], 4)
    assert not notes


def _bt2020(frames):
    for frame in frames:
        yield av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb48le").reformat(
            format="yuv420p10le", dst_colorspace=9, dst_color_range=1
        )


def _state(what, primaries: int, transfer: int, matrix: int) -> None:
    what.color_primaries, what.color_trc = primaries, transfer
    what.colorspace, what.color_range = matrix, 1


@pytest.mark.parametrize(
    ("matrix", "color_range"), [(1, 1), (1, 2), (6, 1), (5, 2), (9, 1), (7, 1)]
)
def test_matrix_and_range_of_a_video_are_followed(tmp_path, matrix, color_range):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        swscale = {6: 5}.get(matrix, matrix)
        for state in (stream.codec_context, None, None):
            if state is None:
                rgb = np.full((48, 64, 3), movies.RED, np.uint8)
                state = av.VideoFrame.from_ndarray(rgb).reformat(
                    format="yuv444p", dst_colorspace=swscale, dst_color_range=color_range
                )
            state.colorspace, state.color_range = matrix, color_range
            if isinstance(state, av.VideoFrame):
                out.mux(stream.encode(state))
        out.mux(stream.encode())
    found, _, notes = read(path)
    _close(found[:, 20, 20], [movies.RED] * 2, 2)
    assert not notes


@pytest.mark.parametrize("matrix", ["YCgCo", "ICtCp"])
def test_a_matrix_that_is_not_converted_is_named(tmp_path, matrix):
    options = {"x264-params": f"colormatrix={matrix}"}
    movies.write(tmp_path / "a.mp4", movies.filling(3), options=options)
    with pytest.raises(UserError, match=rf"a\.mp4 has colours in {matrix}, which are not"):
        video.read(tmp_path / "a.mp4")


def test_a_logarithmic_curve_is_named(tmp_path):
    options = {"x264-params": "transfer=log100"}
    movies.write(tmp_path / "a.mp4", movies.filling(3), options=options)
    assert "a.mp4 has a logarithmic transfer curve" in read(tmp_path / "a.mp4")[2][0]


def test_what_is_written_is_what_is_read(tmp_path):
    """Within a level, as far as 8 bits of BT.709 can tell colours apart."""
    rng = np.random.default_rng(0)
    greys = np.arange(0, 256, 5, dtype=np.uint8)[:, None].repeat(3, 1)
    colours_NC = np.concatenate([greys, rng.integers(0, 256, (100, 3), dtype=np.uint8)])
    flat = [np.full((32, 32, 3), colour, np.uint8) for colour in colours_NC]
    video.write_mp4(tmp_path / "a.mp4", np.stack(flat), fps=4)
    found, _, _ = read(tmp_path / "a.mp4", max_frames=200)
    error_NC = found[:, 16, 16].astype(int) - colours_NC
    assert np.abs(error_NC[: len(greys)]).max() <= 1
    assert np.abs(error_NC).max() <= 2
    assert (np.abs(error_NC).max(-1) > 1).mean() < 0.05
    assert np.abs(error_NC.mean(0)).max() < 0.25


def test_an_mp4_states_its_colours(tmp_path):
    video.write_mp4(tmp_path / "a.mp4", movies.filling(3), fps=4)
    with av.open(str(tmp_path / "a.mp4")) as container:
        context = container.streams.video[0].codec_context
        stated = (context.color_primaries, context.color_trc, context.colorspace)
        assert (*stated, context.color_range) == (1, 1, 1, 1)
        frame = next(container.decode(video=0))
        assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (1, 1, 1)
    # The box that players read before they decode.
    assert b"colrnclx" + struct.pack(">HHH", 1, 1, 1) in (tmp_path / "a.mp4").read_bytes()


@pytest.mark.parametrize(
    ("primaries", "to_it"),
    [(9, TO_2020), (12, TO_P3)],
)
def test_wide_gamut_video_becomes_srgb(tmp_path, primaries, to_it):
    light = linear(np.array([movies.RED])) @ to_it.T
    code = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    wide = np.broadcast_to((65535 * code).round().astype(np.uint16), (48, 64, 3))
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p10le"
        _state(stream.codec_context, primaries, 1, 1)
        for _ in range(2):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(wide), format="rgb48le")
            frame = frame.reformat(format="yuv444p10le", dst_colorspace=1, dst_color_range=1)
            _state(frame, primaries, 1, 1)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    found, _, notes = read(tmp_path / "a.mkv")
    _close(found[:, 20, 20], [movies.RED] * 2, 3)
    assert not notes


# How a player shows it.


def _rgba(count: int = 4) -> np.ndarray:
    alpha_TD = (movies.filling(count)[..., :1] != 255) * 255
    paint = np.broadcast_to(movies.RED, (*alpha_TD.shape[:3], 3))
    return np.concatenate([paint, alpha_TD], -1).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.webm", "libvpx", "yuva420p"),
        ("a.mkv", "libvpx-vp9", "yuva420p"),
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mov", "qtrle", "argb"),
        ("a.mkv", "ffv1", "yuva420p"),
        ("a.mov", "png", "rgba"),
    ],
)
def test_transparent_paper_is_white(tmp_path, name, codec, pix_fmt):
    options = {"auto-alt-ref": "0"} if codec == "libvpx" else {}
    path = tmp_path / name
    movies.write(path, _rgba(), codec, pix_fmt=pix_fmt, source="rgba", options=options)
    found, _, notes = read(path)
    _close(found[[0, -1], 40, 60], [(255, 255, 255), movies.RED], 8)
    assert not notes


_ONE = 1 << 16


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "turned"),
    [
        (1, 0, 0, 1, lambda x: x),
        (-1, 0, 0, 1, lambda x: x[:, ::-1]),
        (1, 0, 0, -1, lambda x: x[::-1]),
        (-1, 0, 0, -1, lambda x: x[::-1, ::-1]),
        (0, 1, 1, 0, lambda x: x.swapaxes(0, 1)),
        (0, 1, -1, 0, lambda x: np.rot90(x, -1)),
        (0, -1, 1, 0, np.rot90),
        (0, -1, -1, 0, lambda x: np.rot90(x.swapaxes(0, 1), 2)),
    ],
)
def test_a_display_matrix_turns_and_mirrors(tmp_path, a, b, c, d, turned):
    corner = np.full((96, 128, 3), 255, np.uint8)
    corner[:30, :60] = movies.RED
    corner[60:, :20] = (30, 30, 200)
    matrix = [a * _ONE, b * _ONE, 0, c * _ONE, d * _ONE, 0, 0, 0, 1 << 30]
    movies.write(tmp_path / "a.mp4", [corner] * 2, matrix=matrix)
    expected = turned(corner)
    found = read(tmp_path / "a.mp4")[0][0]
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 4


def test_an_interlaced_video_has_no_combs(tmp_path):
    def at(moment):
        frame = np.full((96, 128, 3), 235, np.uint8)
        frame[:, 4 * moment : 4 * moment + 20] = movies.RED
        return frame

    frames = [at(2 * index) for index in range(10)]
    for index, frame in enumerate(frames):
        frame[1::2] = at(2 * index + 1)[1::2]
    options = {"x264-params": "tff=1", "crf": "5"}
    movies.write(tmp_path / "a.mp4", frames, options=options, flags=_INTERLACED)
    found, second_T, _ = read(tmp_path / "a.mp4")
    np.testing.assert_allclose(second_T, np.arange(10) / 10)
    light = found.astype(int).mean(-1)
    combs = np.abs(light[:, 1:-1] - (light[:, :-2] + light[:, 2:]) / 2).mean((1, 2))
    assert combs.max() < 1


def test_a_cover_is_no_track(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        cover = out.add_stream("mjpeg", rate=10)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        packet = av.Packet(pictures.encode(np.full((240, 320, 3), 99, np.uint8)))
        packet.stream, packet.pts, packet.dts = cover, 0, 0
        packet.time_base = fractions.Fraction(1, 10)
        out.start_encoding()
        out.mux(packet)
        for frame in movies.filling(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        out.mux(stream.encode())
    found, _, notes = read(path)
    assert found.shape == (5, 96, 128, 3)
    assert not notes


def _tracks(path, default: int | None) -> None:
    """A blue track of 6 frames and a red one of 4, with a grey cover."""
    with av.open(str(path), "w") as out:
        streams = []
        for index in range(2):
            stream = out.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            if default is not None:
                stream.disposition = av.stream.Disposition.default if index == default else 0
            streams.append(stream)
        for stream, colour, count in zip(streams, ((30, 30, 200), movies.RED), (6, 4), strict=True):
            for _ in range(count):
                frame = np.full((48, 64, 3), colour, np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
            out.mux(stream.encode())


@pytest.mark.parametrize(("default", "count"), [(0, 6), (1, 4)])
def test_the_default_track_is_read(tmp_path, default, count):
    _tracks(tmp_path / "a.mkv", default)
    found, _, notes = read(tmp_path / "a.mkv")
    assert len(found) == count
    assert notes == [f"{tmp_path}/a.mkv has 2 video tracks: number {default + 1} is read"]


def _with_pixels_of(path, width: int, height: int) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        stream.codec_context.sample_aspect_ratio = fractions.Fraction(3, 2)
        for frame in movies.filling(3, 48, 64):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        out.mux(stream.encode())
    box = b"pasp" + struct.pack(">II", 3, 2)
    data = path.read_bytes()
    assert box in data
    path.write_bytes(data.replace(box, b"pasp" + struct.pack(">II", width, height)))


@pytest.mark.parametrize(("width", "height", "shown"), [(3, 2, 96), (2, 1, 128), (1, 2, 32)])
def test_pixels_are_shown_square(tmp_path, width, height, shown):
    _with_pixels_of(tmp_path / "a.mov", width, height)
    assert read(tmp_path / "a.mov")[0].shape[1:3] == (48, shown)


@pytest.mark.parametrize(("width", "height"), [(2**31 - 1, 1), (1, 2**30), (100, 1)])
def test_pixels_that_cannot_be_are_refused(tmp_path, width, height):
    _with_pixels_of(tmp_path / "a.mov", width, height)
    with pytest.raises(UserError, match=r"a\.mov has pixels .* times as wide"):
        video.read(tmp_path / "a.mov")


# Times.


def test_a_trimmed_video_shows_what_its_edit_list_shows(tmp_path):
    """Phones and `ffmpeg -c copy` keep the frames before the cut, hidden."""
    movies.write(tmp_path / "whole.mp4", movies.filling(60, 60, 64), options={"g": "50"})
    with (
        av.open(str(tmp_path / "whole.mp4")) as source,
        av.open(str(tmp_path / "cut.mp4"), "w", options={"avoid_negative_ts": "disabled"}) as out,
    ):
        track = source.streams.video[0]
        copy = out.add_stream_from_template(track)
        cut = int(1 / track.time_base)
        for packet in source.demux(track):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - cut, packet.dts - cut, copy
                out.mux(packet)
    found, second_T, notes = read(tmp_path / "cut.mp4")
    assert len(found) == len(video.frame_times(tmp_path / "cut.mp4")) == 50
    np.testing.assert_allclose(second_T, np.arange(50) / 10)
    painted = (found[0, :, 30, 1] < 128).sum()
    assert painted == pytest.approx(10, abs=2)
    assert not notes


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_sound_may_outlast_the_picture(tmp_path, suffix):
    with av.open(str(tmp_path / f"a.{suffix}"), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        sound = out.add_stream("aac", rate=44100)
        for frame in movies.filling(10):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        out.mux(stream.encode())
        for index in range(3 * 44100 // 1024):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts = 44100, 1024 * index
            out.mux(sound.encode(silence))
        out.mux(sound.encode())
    found, _, notes = read(tmp_path / f"a.{suffix}")
    assert len(found) == 10
    assert not notes


def test_frames_are_spread_over_time_not_over_frames(tmp_path):
    """A screen recorder writes a frame where something changes."""
    ticks = [10 * index for index in range(100)] + [1000 + 500 * index for index in range(20)]
    frames = [np.full((48, 64, 3), 250 - index, np.uint8) for index in range(120)]
    movies.write(tmp_path / "a.mp4", frames, rate=100, ticks=ticks)
    _, second_T, _ = read(tmp_path / "a.mp4", max_frames=11)
    assert (second_T[0], second_T[-1]) == (0, 10.5)
    assert (second_T < 1).sum() <= 2
    assert np.diff(second_T).max() < 1.6


def test_evenly_timed_equals_evenly_spaced_at_an_even_rate():
    for count in (5, 12, 100, 101):
        for at_most in (1, 2, 12, 50):
            timed = video.evenly_timed(np.arange(count) / 10, at_most)
            assert len(timed) == min(count, at_most)
            spaced = video.evenly_spaced(count, at_most)
            assert np.abs(np.subtract(timed, spaced)).max() <= 1


def _mjpeg(path, ticks) -> None:
    """One frame at each tick, of milliseconds, in the order given."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj444p"
        for index, tick in enumerate(ticks):
            grey = np.full((48, 64, 3), 250 - 20 * index, np.uint8)
            packet = av.Packet(pictures.encode(grey, "jpeg"))
            packet.stream, packet.time_base = stream, fractions.Fraction(1, 1000)
            packet.pts, packet.dts = tick, index
            out.mux(packet)


@pytest.mark.parametrize(
    "ticks", [(0, 1000, 2000, 4000, 3000), (0, 1000, 1000, 2000, 2000), (0, 3000, 2000, 1000, 500)]
)
def test_times_that_run_backwards_or_stand_still_rise(tmp_path, ticks):
    _mjpeg(tmp_path / "a.mov", ticks)
    found, second_T, _ = read(tmp_path / "a.mov")
    assert np.all(np.diff(second_T) > 0)
    # The frames are in the order in which they were recorded.
    assert np.all(np.diff(found[:, 20, 20, 0].astype(int)) < 0)
    assert found[-1, 20, 20, 0] == pytest.approx(170, abs=2)


def test_a_stream_without_times_is_evenly_spaced(tmp_path):
    movies.write(tmp_path / "a.h264", movies.filling(8), rate=25)
    _, second_T, _ = read(tmp_path / "a.h264")
    assert np.diff(second_T) == pytest.approx(np.diff(second_T)[0])


# Damage.


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mov", "png", "rgb24"),
    ],
)
def test_a_damaged_packet_costs_its_frame_and_is_said(tmp_path, name, codec, pix_fmt):
    frames = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), dtype=np.uint8)
    path = tmp_path / name
    movies.write(path, frames, codec, pix_fmt=pix_fmt, options={"g": "5"})
    movies.damage(path, 8)
    found, _, notes = read(path)
    assert len(found) == 19
    assert notes == [f"{path} has 1 damaged frames of 20, which are left out"]


def test_a_video_of_which_little_can_be_decoded_is_refused(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), dtype=np.uint8)
    movies.write(tmp_path / "a.avi", frames, "mjpeg", pix_fmt="yuvj420p")
    movies.damage(tmp_path / "a.avi", *range(1, 19))
    with pytest.raises(UserError, match=r"a\.avi is damaged: 2 of its 20 frames"):
        video.read(tmp_path / "a.avi")
    movies.damage(tmp_path / "a.avi", 0, 19)
    with pytest.raises(UserError, match=r"a\.avi has no frame that can be decoded"):
        video.read(tmp_path / "a.avi")


def test_a_video_whose_end_is_damaged_is_refused(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), dtype=np.uint8)
    movies.write(tmp_path / "a.avi", frames, "mjpeg", pix_fmt="yuvj420p")
    movies.damage(tmp_path / "a.avi", *range(15, 20))
    with pytest.raises(UserError, match=r"can be decoded up to 1\.4 s of 1\.9 s"):
        video.read(tmp_path / "a.avi")


def _gif() -> bytes:
    images = [Image.fromarray(frame) for frame in movies.filling(12)]
    stream = io.BytesIO()
    images[0].save(stream, "GIF", save_all=True, append_images=images[1:], duration=100)
    return stream.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data[:-2],
        lambda data: data + b"\r\n",
        lambda data: data + bytes(3000),
        lambda data: data + b"<html>",
        lambda data: data[:-1] + bytes(3000),
    ],
)
def test_a_gif_may_lack_its_end_or_have_more_behind_it(tmp_path, change):
    (tmp_path / "a.gif").write_bytes(change(_gif()))
    found, _, notes = read(tmp_path / "a.gif")
    assert len(found) == 12
    assert not notes


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.flv", "flv", "yuv420p"),
        ("a.mxf", "mpeg2video", "yuv420p"),
        ("a.ivf", "libvpx-vp9", "yuv420p"),
    ],
)
def test_a_video_that_lacks_its_end_is_refused(tmp_path, name, codec, pix_fmt):
    frames = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), dtype=np.uint8)
    path = tmp_path / name
    movies.write(path, frames, codec, pix_fmt=pix_fmt, rate=25)
    data = path.read_bytes()
    at, size = movies.packets(path)[12]
    path.write_bytes(data[: at + size // 2])
    with pytest.raises(UserError, match=r"a\.\w+ is (cut short|not a readable video)"):
        video.read(path)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_gif_that_ends_within_a_frame_is_refused(tmp_path, share):
    data = _gif()
    (tmp_path / "a.gif").write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=r"a\.gif is cut short"):
        video.read(tmp_path / "a.gif")


def test_a_png_that_claims_a_billion_frames_is_refused(tmp_path):
    first, *others = (Image.fromarray(frame) for frame in movies.filling())
    path = tmp_path / "a.png"
    first.save(path, save_all=True, append_images=others)
    data = bytearray(path.read_bytes())
    at = data.index(b"acTL")
    data[at + 4 : at + 8] = (10**9).to_bytes(4, "big")
    data[at + 12 : at + 16] = zlib.crc32(data[at : at + 12]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.png is cut short or damaged"):
        video.read(path)


def test_a_damaged_frame_of_an_animated_png_is_left_out(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), dtype=np.uint8)
    images = [Image.fromarray(frame) for frame in frames]
    path = tmp_path / "a.png"
    images[0].save(path, save_all=True, append_images=images[1:], duration=100)
    data = path.read_bytes()
    at = data.index(b"fdAT", len(data) // 2) + 20
    path.write_bytes(data[:at] + bytes(40) + data[at + 40 :])
    found, _, notes = read(path)
    assert len(found) == 5
    assert "1 damaged frames of 6" in notes[0]


def test_a_frame_that_outgrows_its_header_takes_no_memory(tmp_path):
    def jpeg(width, height):
        stream = io.BytesIO()
        Image.new("RGB", (width, height)).save(stream, "JPEG")
        return stream.getvalue()

    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = out.add_stream("mjpeg", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for index, size in enumerate(((64, 48), (64, 48), (3000, 2000))):
            packet = av.Packet(jpeg(*size))
            packet.stream, packet.pts, packet.time_base = stream, index, fractions.Fraction(1, 4)
            out.mux(packet)
    with pytest.raises(UserError, match=r"a\.mkv changes the size of its frames.* 64x48"):
        video.read(tmp_path / "a.mkv")


@pytest.mark.parametrize(
    ("box", "at", "options"),
    [
        ("stsz", 8, {}),
        ("stts", 8, {}),
        ("ctts", 8, {}),
        ("stsc", 12, {}),
        ("trun", 4, {"movflags": "frag_keyframe+empty_moov"}),
    ],
)
@pytest.mark.parametrize("count", [10**9, 8 * 10**7])
def test_frames_that_an_mp4_claims_and_does_not_hold_take_no_memory(
    tmp_path, box, at, options, count
):
    path = tmp_path / "a.mp4"
    movies.write(path, movies.filling(), muxer=options)
    data = bytearray(path.read_bytes())
    start = data.index(box.encode()) + 4
    data[start + at : start + at + 4] = count.to_bytes(4, "big")
    if box == "trun":
        data[start + 2 : start + 4] = b"\0\1"  # all frames are as the track says
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(UserError):
        assert len(video.read(path)[0]) == 12
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10


def test_a_damaged_video_with_stated_progress_keeps_its_places(tmp_path):
    from painting_jax.data import processes  # noqa: PLC0415

    frames = np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), dtype=np.uint8)
    movies.write(tmp_path / "a.avi", frames, "mjpeg", pix_fmt="yuvj420p")
    movies.damage(tmp_path / "a.avi", 2)
    (tmp_path / "a.json").write_text(json.dumps({"progress": [0, 0.1, 0.2, 0.6, 1]}))
    with remarks.collected():
        (file,), _ = processes.find([tmp_path])
        loaded = processes.load(file, max_frames=9, max_side=64)
    np.testing.assert_allclose(loaded.progress_T, [0, 0.1, 0.6, 1], rtol=1e-6)

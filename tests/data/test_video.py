import fractions
import json

import av
import numpy as np
import pytest
from PIL import Image

from painting_jax.data import pictures, video
from painting_jax.errors import UserError
from tests.synthetic import recording, scene


def _close(frames, expected, tolerance=6):
    assert np.abs(frames.astype(int) - expected).mean() < tolerance


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63), (9, 8)])
def test_mp4_round_trips_also_with_odd_sides(tmp_path, height, width):
    frames = recording(height=height, width=width)
    video.write_mp4(tmp_path / "a.mp4", frames, fps=4)
    read, seconds = video.read(tmp_path / "a.mp4")
    assert read.shape[1:3] == (height + height % 2, width + width % 2)
    np.testing.assert_allclose(seconds, np.arange(len(frames)) / 4)
    _close(read[:, :height, :width], frames, 10)


def test_mp4_says_in_its_metadata_what_it_is(tmp_path):
    tags = {"title": "A cat in oil", "comment": "generated", "description": json.dumps({"a": 1})}
    video.write_mp4(tmp_path / "a.mp4", recording(), fps=4, metadata=tags)
    assert tags.items() <= video.read_metadata(tmp_path / "a.mp4").items()


def test_same_frames_give_the_same_mp4(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        video.write_mp4(tmp_path / name, recording(), fps=4)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_lossless_webp_round_trips_and_is_marked_generated(tmp_path):
    frames = recording()
    video.write_webp(tmp_path / "a.webp", frames, fps=5, metadata={"model": "a<b"}, lossless=True)
    read, seconds = video.read(tmp_path / "a.webp")
    np.testing.assert_array_equal(read, frames)
    np.testing.assert_allclose(seconds, np.arange(len(frames)) / 5)
    packet = video.read_metadata(tmp_path / "a.webp")["xmp"]
    assert video.GENERATED in packet
    assert "model: a&lt;b" in packet


def test_frames_between_two_times_are_spread_evenly(tmp_path):
    video.write_mp4(tmp_path / "a.mp4", recording(count=21), fps=10)
    _, seconds = video.read(tmp_path / "a.mp4", start=0.5, end=1.5, max_frames=3)
    np.testing.assert_allclose(seconds, [0.5, 1.0, 1.5])


def test_crop_comes_before_scaling(tmp_path):
    frames = recording(height=48, width=64)
    video.write_mp4(tmp_path / "a.mp4", frames, fps=4)
    read, _ = video.read(tmp_path / "a.mp4", crop=(16, 8, 48, 40), max_side=16)
    assert read.shape[1:] == (16, 16, 3)
    whole, _ = video.read(tmp_path / "a.mp4", crop=(16, 8, 48, 40))
    _close(whole[-1], frames[-1, 8:40, 16:48])
    with pytest.raises(UserError, match="crop"):
        video.read(tmp_path / "a.mp4", crop=(0, 0, 65, 10))


def test_recording_that_a_phone_turned_stands_upright(tmp_path):
    frames = recording(height=48, width=64)
    video.write_mp4(tmp_path / "a.mp4", frames, fps=4)
    data = (tmp_path / "a.mp4").read_bytes()
    # The track header's matrix: a turn by a quarter instead of none.
    at = data.index(b"tkhd") + 44
    one = 0x10000
    matrix = np.array([0, one, 0, -one, 0, 0, 0, 0, 0x40000000], ">i4").tobytes()
    (tmp_path / "b.mp4").write_bytes(data[:at] + matrix + data[at + 36 :])
    read, _ = video.read(tmp_path / "b.mp4")
    assert read.shape[1:3] == (64, 48)
    _close(read[-1], np.rot90(frames[-1], -1))


def test_gif_with_uneven_times(tmp_path):
    images = [Image.fromarray(frame) for frame in recording(count=4)]
    images[0].save(
        tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=[100, 500, 100, 100]
    )
    read, seconds = video.read(tmp_path / "a.gif")
    np.testing.assert_allclose(seconds, [0, 0.1, 0.6, 0.7])
    _close(read, recording(count=4))


@pytest.mark.parametrize("suffix", ["mkv", "webm", "mov"])
def test_other_containers_are_read(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    codec = "libvpx" if suffix == "webm" else "libx264"
    # Noise, so that every frame takes its share of the file.
    frames = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode())
    read, seconds = video.read(path)
    assert read.shape == frames.shape
    assert np.all(np.diff(seconds) > 0)
    if suffix != "mov":
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
        with pytest.raises(UserError):
            video.read(path)


def _mp4(tmp_path):
    video.write_mp4(tmp_path / "whole.mp4", recording(count=40), fps=10)
    return (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.8])
def test_truncated_mp4_is_a_user_error(tmp_path, share):
    data = _mp4(tmp_path)
    (tmp_path / "a.mp4").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=r"a\.mp4"):
        video.read(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_truncated_animation_is_a_user_error(tmp_path, suffix):
    images = [Image.fromarray(frame) for frame in recording()]
    path = tmp_path / f"a.{suffix}"
    images[0].save(path, save_all=True, append_images=images[1:])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError):
        video.read(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("text.mp4", b"no video at all " * 50), ("text.gif", b"GIF89a;"), ("text.webp", b"RIFF")],
)
def test_no_video_is_a_user_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        video.read(tmp_path / name)


def test_missing_video_times_outside_and_sound_only(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        video.read(tmp_path / "none.mp4")
    video.write_mp4(tmp_path / "a.mp4", recording(), fps=4)
    with pytest.raises(UserError, match="no frame from 50"):
        video.read(tmp_path / "a.mp4", start=50)
    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 44100
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    with pytest.raises(UserError, match="no video in it"):
        video.read(tmp_path / "sound.mp4")


def test_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="shape"):
        video.write_mp4(tmp_path / "a.mp4", np.zeros((2, 16, 16, 4), np.uint8), fps=4)
    assert list(tmp_path.iterdir()) == []


def test_shrinking_keeps_the_aspect_and_never_enlarges():
    assert video.shrink(scene(0, 40, 80), 20).shape == (10, 20, 3)
    assert video.shrink(scene(0, 40, 80), 200).shape == (40, 80, 3)


def test_frames_that_are_a_line_are_refused(tmp_path):
    frames = np.zeros((3, 16, 512, 3), np.uint8)
    video.write_mp4(tmp_path / "a.mp4", frames, fps=4)
    assert video.read(tmp_path / "a.mp4")[0].shape == frames.shape
    with pytest.raises(UserError, match="frames of 64x2 pixels: each side needs at least 8"):
        video.read(tmp_path / "a.mp4", max_side=64)


def test_frames_of_several_sizes_are_refused(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = out.add_stream("mjpeg", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj444p"
        for place, height in enumerate((48, 48, 96)):
            packet = av.Packet(pictures.encode(np.zeros((height, 64, 3), np.uint8), "jpeg"))
            packet.stream, packet.pts, packet.time_base = stream, place, fractions.Fraction(1, 4)
            out.mux(packet)
    with pytest.raises(UserError, match=r"a\.mkv changes the size of its frames"):
        video.read(tmp_path / "a.mkv")


def test_gif_that_holds_its_last_frame_is_whole(tmp_path):
    images = [Image.fromarray(frame) for frame in recording(count=8)]
    durations = [100] * 7 + [5000]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=durations)
    read, seconds = video.read(tmp_path / "a.gif")
    assert len(read) == 8
    assert seconds[-1] == pytest.approx(0.7)


def test_a_codec_that_ffmpeg_does_not_know_is_named(tmp_path):
    (tmp_path / "a.mov").write_bytes(_mp4(tmp_path).replace(b"avc1", b"xyz1"))
    with pytest.raises(UserError, match=r"a\.mov has a codec that FFmpeg does not know"):
        video.read(tmp_path / "a.mov")


def test_an_animation_that_is_too_large_is_refused(tmp_path, monkeypatch):
    video.write_webp(tmp_path / "a.webp", recording(), fps=4)
    monkeypatch.setattr(pictures, "MAX_MEGAPIXELS", 0)
    with pytest.raises(UserError, match=r"a\.webp has .*more than 0 megapixels"):
        video.read(tmp_path / "a.webp")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UserError, match=r"a\.webp has .*more than 0 megapixels"):
        video.read(tmp_path / "a.webp")

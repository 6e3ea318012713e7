"""Processes on disk are found and read the same by prepare and evaluate."""

import json
import os
import pathlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from painting_jax import media
from painting_jax.data import pictures, processes, remarks, timelapse, video
from painting_jax.errors import UserError
from painting_jax.generation import outputs
from tests.data import movies
from tests.evaluation.recordings import process, write_movie, write_pictures


def find(*sources, **options) -> list[processes.ProcessFile]:
    found, skipped = processes.find(sources, **options)
    assert not skipped
    return found


def load(file: processes.ProcessFile, *, max_frames: int = 200) -> processes.LoadedProcess:
    return processes.load(file, max_frames=max_frames, max_side=64)


def record(file: processes.ProcessFile):
    return processes.to_record(file, max_frames=200, max_side=64)


def names(files) -> list[str]:
    return [file.name for file in files]


def reasons(skipped) -> dict[str, str]:
    return {skip.name: skip.reason for skip in skipped}


def write_numbered(folder: pathlib.Path, names: list[str], **shape) -> np.ndarray:
    frames_THWC = process(0, frames=len(names), **shape)
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame_HWC in zip(names, frames_THWC, strict=True):
        Image.fromarray(frame_HWC).save(folder / name)
    return frames_THWC


# One test for each point in which the readers of prepare and evaluate once differed.


def test_a_folder_with_a_record_is_one_process(tmp_path):
    """`prepare` took the steps, the mp4 and the webp for three."""
    frames_THWC = process(3, frames=4)
    parameters = {"medium": {"oil": 1.0}, "image": "hat.jpg"}
    outputs.write(tmp_path / "hat", frames_THWC, title="hat", model="demo", parameters=parameters)
    (file,) = find(tmp_path, known_media=media.MEDIA)
    assert (file.name, file.medium, file.picture) == ("hat", "oil", "hat.jpg")
    np.testing.assert_array_equal(load(file).frames_THWC, frames_THWC)
    (outright,) = find(tmp_path / "hat")
    assert outright.path == file.path


def test_a_sidecar_states_medium_caption_licence_and_progress(tmp_path):
    """`prepare` did not look for one, and `evaluate` knew no caption and no licence."""
    frames_THWC = process(0, frames=4)
    write_movie(tmp_path / "cat.webp", frames_THWC)
    stated = {"medium": "ink", "caption": "a cat", "licence": "CC0", "progress": [0, 0.1, 0.3, 1]}
    (tmp_path / "cat.json").write_text(json.dumps(stated))
    (file,) = find(tmp_path, medium="oil", known_media=media.MEDIA)
    made = record(file)
    assert (made.medium, made.caption, made.licence) == ("ink", "a cat", "CC0")
    np.testing.assert_allclose(made.progress, stated["progress"], rtol=1e-6)


def test_a_sidecar_states_crop_start_and_end(tmp_path):
    """Only a manifest could."""
    write_numbered(tmp_path / "cup", [f"{number}.png" for number in range(6)])
    stated = {"crop": [0, 0, 32, 64], "start": 1, "end": 4}
    (tmp_path / "cup" / "process.json").write_text(json.dumps(stated))
    assert load(find(tmp_path)[0]).frames_THWC.shape == (4, 64, 32, 3)


def test_falling_progress_turns_a_process_round(tmp_path):
    """`prepare` would have stored it backwards."""
    frames_THWC = process(3, frames=4)
    write_pictures(tmp_path / "hat", frames_THWC[::-1])
    (tmp_path / "hat" / "process.json").write_text('{"progress": [1, 0.5, 0.2, 0]}')
    (file,) = find(tmp_path, medium="oil")
    loaded = load(file)
    assert loaded.was_reversed
    np.testing.assert_array_equal(loaded.frames_THWC, frames_THWC)
    np.testing.assert_allclose(loaded.progress_T, [0, 0.2, 0.5, 1])
    np.testing.assert_allclose(record(file).progress, [0, 0.2, 0.5, 1])


def test_a_manifest_lists_processes_for_either_verb(tmp_path):
    """`evaluate` knew no manifests; those of `prepare` no picture and no progress."""
    write_movie(tmp_path / "cat.webp", process(0, frames=4))
    (tmp_path / "cat.json").write_text('{"medium": "ink", "caption": "a cat"}')
    rows = [
        {"path": "cat.webp", "picture": "tom", "progress": [0, 0.5, 0.6, 1], "caption": None},
        {"path": "cat.webp", "medium": "Colored pencil", "end": 0.5},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    whole, part = find(tmp_path / "list.jsonl")
    assert (whole.name, whole.picture, whole.medium, whole.caption) == (
        *("cat.webp", "tom", "ink", "a cat"),
    )
    np.testing.assert_allclose(load(whole).progress_T, [0, 0.5, 0.6, 1])
    assert (part.name, part.medium) == ("cat.webp#2", "colored_pencil")
    assert len(load(part).frames_THWC) == 3


def test_files_and_patterns_are_sources_for_either_verb(tmp_path):
    """`evaluate` took a single folder."""
    for seed, name in enumerate(("a.mp4", "b.mp4", "c.webp")):
        write_movie(tmp_path / name, process(seed))
    assert names(find(tmp_path / "c.webp", tmp_path / "*.mp4")) == ["c.webp", "a.mp4", "b.mp4"]


def test_pictures_without_a_number_are_steps_in_the_order_of_their_names(tmp_path):
    """`prepare` refused them."""
    frames_THWC = write_numbered(tmp_path / "cup", ["a.png", "b.png", "c.png"])
    (file,) = find(tmp_path)
    np.testing.assert_array_equal(load(file).frames_THWC, frames_THWC)


def test_a_picture_without_a_number_is_no_step_among_numbered_ones(tmp_path):
    """`evaluate` took cover.png for the first or last frame."""
    write_numbered(tmp_path / "cup", ["7.png", "08.png", "10.png", "cover.png"])
    (file,), skipped = processes.find([tmp_path])
    assert len(load(file).frames_THWC) == 3
    assert reasons(skipped) == {"cup/cover.png": "it has no number, unlike the pictures beside it"}


def test_numbered_pictures_beside_videos_and_folders_are_a_process(tmp_path):
    """`evaluate` passed over them."""
    write_movie(tmp_path / "cat.mp4", process(0))
    write_pictures(tmp_path / "sub" / "dog", process(1))
    write_numbered(tmp_path, ["step 1.png", "step 2.png"])
    assert names(find(tmp_path)) == ["cat.mp4", "sub/dog", tmp_path.name]


def test_pictures_named_after_a_video_or_folder_are_not_steps(tmp_path):
    """`prepare` took the inputs of several videos for one process."""
    write_movie(tmp_path / "1.mp4", process(0))
    write_pictures(tmp_path / "cat2", process(1))
    write_numbered(tmp_path, ["1.png", "1_input.png", "cat2.png"])
    found, skipped = processes.find([tmp_path])
    assert names(found) == ["1.mp4", "cat2"]
    assert set(reasons(skipped)) == {"1.png", "1_input.png", "cat2.png"}
    assert all("named after" in skip.reason for skip in skipped)


def test_single_pictures_are_named(tmp_path):
    """`evaluate` passed over them in silence, or failed on reading them."""
    write_movie(tmp_path / "cat.mp4", process(0))
    write_numbered(tmp_path / "one", ["3.png"])
    (tmp_path / "final.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("about")
    found, skipped = processes.find([tmp_path])
    assert names(found) == ["cat.mp4"]
    single = "a single picture is no process"
    assert reasons(skipped) == {"final.jpg": single, "one/3.png": single}


@pytest.mark.parametrize("suffix", ["webp", "png", "apng", "gif"])
def test_a_picture_that_moves_is_a_video(tmp_path, suffix):
    """Neither read an animated png, and `prepare` no webp with a color profile."""
    frames_THWC = process(0, frames=3)
    images = [Image.fromarray(frame_HWC) for frame_HWC in frames_THWC]
    options = {"lossless": True} if suffix == "webp" else {}
    if suffix != "gif":
        options["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / f"cat.{suffix}"
    format = "PNG" if suffix == "apng" else None
    images[0].save(path, format, save_all=True, append_images=images[1:], duration=200, **options)
    loaded = load(find(tmp_path)[0])
    np.testing.assert_allclose(loaded.progress_T, [0, 0.5, 1])
    assert np.abs(loaded.frames_THWC.astype(int) - frames_THWC).mean() < (
        3 if suffix == "gif" else 1
    )


@pytest.mark.parametrize("suffix", ["webp", "png", "gif"])
def test_a_picture_that_does_not_move_is_a_step(tmp_path, suffix):
    """Both took still gifs for videos."""
    write_numbered(tmp_path / "still", [f"{number}.{suffix}" for number in range(1, 4)])
    assert len(load(find(tmp_path)[0]).frames_THWC) == 3


def test_a_png_that_moves_may_have_a_cover(tmp_path):
    frames_THWC = process(0, frames=4)
    images = [Image.fromarray(frame_HWC) for frame_HWC in frames_THWC]
    path = tmp_path / "cat.png"
    images[3].save(path, save_all=True, append_images=images[:3], default_image=True)
    np.testing.assert_array_equal(load(find(path)[0]).frames_THWC, frames_THWC[:3])


def test_alpha_of_a_png_that_moves_lies_over_white(tmp_path):
    images = [Image.new("RGBA", (16, 16), (200, 30, 30, alpha)) for alpha in (0, 255)]
    images[0].save(tmp_path / "cat.png", save_all=True, append_images=images[1:])
    shown = load(find(tmp_path)[0]).frames_THWC[:, 0, 0]
    np.testing.assert_array_equal(shown, [[255, 255, 255], [200, 30, 30]])


@pytest.mark.parametrize(("width", "reads"), [(62, True), (57, False)])
def test_pictures_of_one_process_may_differ_in_aspect_by_a_little(tmp_path, width, reads):
    """`evaluate` allowed 2 %, `prepare` 5 %."""
    write_numbered(tmp_path / "cup", ["1.png"], height=60, width=width)
    write_numbered(tmp_path / "cup", ["2.png", "3.png"], height=120, width=120)
    (file,) = find(tmp_path)
    if reads:
        assert load(file).frames_THWC.shape == (3, 64, 64, 3)
    else:
        with pytest.raises(UserError, match=r"1\.png has another shape than 3\.png"):
            load(file)


def test_the_shape_is_judged_before_it_is_rounded(tmp_path):
    """At 8 pixels across, a pixel of rounding is 12 %."""
    write_numbered(tmp_path / "cup", ["1.png"], height=64, width=424)
    write_numbered(tmp_path / "cup", ["2.png"], height=128, width=840)
    (file,) = find(tmp_path)
    assert processes.load(file, max_frames=9, max_side=23).frames_THWC.shape == (2, 4, 23, 3)


def test_media_are_stated_in_any_spelling(tmp_path):
    """`prepare` took only the registry's own."""
    write_movie(tmp_path / "cat.mp4", process(0, frames=3))
    (tmp_path / "cat.json").write_text('{"medium": " Colored  Pencil"}', "utf-8-sig")
    assert find(tmp_path, known_media=media.MEDIA)[0].medium == "colored_pencil"
    (tmp_path / "cat.json").write_text('{"medium": "Colored pencil + OIL"}')
    assert find(tmp_path)[0].medium == "colored_pencil + oil"


@pytest.mark.parametrize(
    ("medium", "said"),
    [("crayon", "unknown medium 'crayon'"), ("oil + ink", "a mixture, one medium is needed")],
)
def test_a_sidecar_without_a_medium_to_train_on_is_skipped(tmp_path, medium, said):
    """`evaluate` allows it; for `prepare` one bad file does not end the run."""
    for name in ("cat", "dog"):
        write_movie(tmp_path / f"{name}.mp4", process(0, frames=3))
    (tmp_path / "cat.json").write_text(json.dumps({"medium": medium}))
    assert find(tmp_path)[0].medium == medium
    found, skipped = processes.find([tmp_path], medium="oil", known_media=media.MEDIA)
    assert names(found) == ["dog.mp4"]
    assert said in reasons(skipped)["cat.mp4"]


def test_half_a_letter_in_a_text_is_escaped(tmp_path):
    """A manifest with one was refused, a sidecar was not."""
    write_movie(tmp_path / "cat.mp4", process(0, frames=3))
    stated = {"caption": "a \ud800 cat", "picture": "\ud800"}
    (tmp_path / "cat.json").write_text(json.dumps(stated))
    (tmp_path / "list.jsonl").write_text(json.dumps({"path": "cat.mp4", **stated}))
    for source in (tmp_path / "cat.mp4", tmp_path / "list.jsonl"):
        (file,) = find(source)
        assert (file.caption, file.picture) == ("a \\ud800 cat", "\\ud800")


def test_an_accent_is_the_same_however_it_is_written(tmp_path):
    """`prepare` kept the two apart."""
    write_movie(tmp_path / "ours" / "cafe\u0301.mp4", process(0))
    write_movie(tmp_path / "theirs" / "caf\xe9.mp4", process(0))
    assert names(find(tmp_path / "ours")) == names(find(tmp_path / "theirs"))


@pytest.mark.parametrize("sidecar", ['{"progress": [0, 0, 0.4, 0.4, 1]}', '{"start": 1}'])
def test_frames_at_the_same_progress_are_one_in_a_record(tmp_path, sidecar):
    """`evaluate` allows ties and any span; what is stored rises strictly from 0 to 1."""
    frames_THWC = process(0, frames=5)
    write_pictures(tmp_path / "cup", frames_THWC)
    (tmp_path / "cup" / "process.json").write_text(sidecar)
    made = record(find(tmp_path, medium="oil")[0])
    assert made.progress[0] == 0
    assert made.progress[-1] == 1
    assert len(made.frames) == len(made.progress) == (3 if "progress" in sidecar else 4)
    finished = pictures.decode(made.reference).astype(int)
    assert np.abs(finished - frames_THWC[-1]).mean() < 3


def test_what_the_file_system_refuses_is_named(tmp_path, monkeypatch):
    """It ended `prepare` with a traceback."""
    write_pictures(tmp_path / "cup", process(0))
    (file,) = find(tmp_path)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pictures, "load", refuse)
    with pytest.raises(UserError, match="cup cannot be read: Permission denied"):
        load(file)


@pytest.mark.parametrize("suffix", ["avi", "m4v"])
def test_what_ffmpeg_reads_is_read(tmp_path, suffix):
    """Both passed over it in silence."""
    write_movie(tmp_path / "cat.mp4", process(0))
    if suffix == "m4v":
        (tmp_path / "cat.mp4").rename(tmp_path / "cat.m4v")
    else:
        _remux_as_avi(tmp_path / "cat.mp4")
    assert len(load(find(tmp_path)[0]).frames_THWC) == 5


def _remux_as_avi(path: pathlib.Path) -> None:
    frames_THWC, _ = video.read(path)
    with video.av.open(str(path.with_suffix(".avi")), "w") as out:
        stream = out.add_stream("mjpeg", rate=4)
        stream.height, stream.width, stream.pix_fmt = *frames_THWC.shape[1:3], "yuvj420p"
        for frame_HWC in frames_THWC:
            out.mux(stream.encode(video.av.VideoFrame.from_ndarray(frame_HWC)))
        out.mux(stream.encode())
    path.unlink()


def test_a_last_picture_of_a_type_that_is_not_read_is_not_passed_over(tmp_path):
    """The process would end with one that is not finished."""
    for number, name in enumerate(("3.heic", "3.jxl", "3.dng", "3.cr2")):
        folder = tmp_path / f"phone{number}"
        write_numbered(folder, ["1.jpg", "2.jpg"])
        (folder / name).write_bytes(b"no picture")
    for file in find(tmp_path):
        with pytest.raises(UserError, match=r"3\.\w+ is (not a picture|a raw photo)"):
            load(file)


# What both read, and what only one of them was tested for.


def test_numbers_may_have_gaps_and_zeros(tmp_path):
    frames_THWC = write_numbered(tmp_path / "cup", ["2.png", "03.png", "10.png", "0101.png"])
    loaded = load(find(tmp_path)[0])
    np.testing.assert_array_equal(loaded.frames_THWC, frames_THWC)
    np.testing.assert_allclose(loaded.progress_T, [0, 1 / 3, 2 / 3, 1], rtol=1e-6)


def test_frames_are_thinned_with_their_progress(tmp_path):
    progress_N = np.linspace(0, 1, 100) ** 3
    write_pictures(tmp_path / "hat", process(3, frames=100))
    write_movie(tmp_path / "cat.mp4", process(3, frames=100))
    stated = json.dumps({"progress": progress_N.tolist()})
    (tmp_path / "hat" / "process.json").write_text(stated)
    (tmp_path / "cat.json").write_text(stated)
    files = find(tmp_path)
    assert names(files) == ["cat.mp4", "hat"]
    for file in files:
        loaded = load(file, max_frames=12)
        np.testing.assert_allclose(loaded.progress_T, progress_N[::9], rtol=1e-6)


def test_progress_of_a_part_is_that_of_its_frames(tmp_path):
    write_pictures(tmp_path / "hat", process(3, frames=5))
    stated = {"progress": [0, 0.1, 0.2, 0.6, 1], "start": 1, "end": 3}
    (tmp_path / "hat" / "process.json").write_text(json.dumps(stated))
    (file,) = find(tmp_path, medium="oil")
    np.testing.assert_allclose(load(file).progress_T, [0.1, 0.2, 0.6])
    np.testing.assert_allclose(record(file).progress, [0, 0.2, 1], rtol=1e-6)


@pytest.mark.parametrize(
    "progress",
    [
        '[0, "half", 1]',
        '["0", "0.5", "1"]',
        "[0, NaN, 1]",
        "[0, 0.7, 0.5]",
        "[0, 50, 100]",
        "[0, 0, 0]",
        "[[0], [1]]",
        "[false, true, true]",
        "0.5",
    ],
)
def test_progress_that_cannot_be_is_named(tmp_path, progress):
    write_movie(tmp_path / "cat.mp4", process(3, frames=3))
    (tmp_path / "cat.json").write_text(f'{{"progress": {progress}}}')
    _, skipped = processes.find([tmp_path])
    assert "cat.json: progress must be a list of numbers" in reasons(skipped)["cat.mp4"]


@pytest.mark.parametrize("count", [2, 4])
def test_progress_of_another_number_of_frames_is_refused(tmp_path, count):
    write_movie(tmp_path / "cat.mp4", process(3, frames=3))
    (tmp_path / "cat.json").write_text(json.dumps({"progress": np.linspace(0, 1, count).tolist()}))
    with pytest.raises(UserError, match=f"progress of {count} frames, .*cat.mp4 has 3"):
        load(find(tmp_path)[0])


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [
        ('{"picture": 7}', "cat.json: picture must be text"),
        ('{"medium": ["oil"]}', "cat.json: medium must be a name"),
        ('{"start": 2, "end": 1}', "start 2 must lie before end 1"),
        ("[1]", "no record of a process"),
        ("[0, ", "cat.json is not JSON"),
    ],
)
def test_a_sidecar_with_a_mistake_is_named_and_the_rest_is_used(tmp_path, sidecar, said):
    for name in ("cat", "dog"):
        write_movie(tmp_path / f"{name}.mp4", process(0, frames=3))
    (tmp_path / "cat.json").write_text(sidecar)
    found, skipped = processes.find([tmp_path])
    assert names(found) == ["dog.mp4"]
    assert said in reasons(skipped)["cat.mp4"]


def test_keys_that_others_wrote_are_passed_over_in_a_sidecar(tmp_path):
    write_movie(tmp_path / "cat.mp4", process(0, frames=3))
    (tmp_path / "cat.json").write_text('{"colour": "red", "medium": null}')
    assert find(tmp_path)[0].medium == ""


def test_one_frame_is_no_process(tmp_path):
    write_movie(tmp_path / "a.mp4", process(0, frames=1))
    write_pictures(tmp_path / "b", process(0, frames=1))
    (tmp_path / "b" / "process.json").write_text("{}")
    for file in find(tmp_path):
        with pytest.raises(UserError, match="at least two"):
            load(file)


def test_pictures_in_floating_point_are_refused(tmp_path):
    """A NaN among them would become black."""
    write_pictures(tmp_path / "cup", process(0, frames=2))
    Image.fromarray(np.full((64, 64), np.nan, np.float32)).save(tmp_path / "cup" / "3.tif")
    with pytest.raises(UserError, match=r"3\.tif has samples in floating point"):
        load(find(tmp_path)[0])


def test_hidden_files_are_no_frames(tmp_path):
    write_pictures(tmp_path / "cup", process(2, frames=3))
    (tmp_path / "cup" / "._1.png").write_bytes(b"what a Mac leaves")
    assert len(load(find(tmp_path)[0]).frames_THWC) == 3


def test_links_that_lead_back_are_not_followed(tmp_path):
    write_movie(tmp_path / "sets" / "cat.mp4", process(0))
    for loop in ("one", "two"):
        (tmp_path / "sets" / loop).symlink_to(tmp_path, target_is_directory=True)
    assert names(find(tmp_path)) == ["sets/cat.mp4"]


def test_a_name_that_is_no_unicode_can_be_written_down(tmp_path):
    write_movie(tmp_path / "cafe.mp4", process(0))
    (tmp_path / "cafe.mp4").rename(tmp_path / os.fsdecode(b"caf\xe9.mp4"))
    (file,) = find(tmp_path)
    assert file.name.encode() == b"caf\\udce9.mp4"
    assert len(load(file).frames_THWC) > 1


def test_sources_without_a_process_are_named(tmp_path):
    with pytest.raises(UserError, match="missing does not exist"):
        find(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no videos"):
        find(tmp_path / "empty")


# What real folders hold.


def noted(file: processes.ProcessFile, **options) -> tuple[processes.LoadedProcess, list[str]]:
    """A process and the remarks on it."""
    with remarks.collected() as notes:
        loaded = processes.load(file, max_frames=200, max_side=64, **options)
    return loaded, notes


def test_suffixes_do_not_decide(tmp_path):
    """A phone's last picture, and videos, were dropped in silence."""
    frames_THWC = write_numbered(tmp_path / "phone", [f"IMG_{n}.jpg" for n in range(1, 6)])
    Image.fromarray(frames_THWC[-1]).save(tmp_path / "phone" / "IMG_6.avif")
    Image.fromarray(frames_THWC[-1]).save(tmp_path / "phone" / "IMG_7.HEIC", "PNG")
    for name in ("a.m4v", "b.avi", "c.mts", "d.wmv", "e.dat", "f"):
        movies.write(tmp_path / "x.mp4", movies.filling(6))
        (tmp_path / "x.mp4").rename(tmp_path / name)
    files = {file.name: file for file in find(tmp_path)}
    assert set(files) == {"phone", "a.m4v", "b.avi", "c.mts", "d.wmv", "e.dat", "f"}
    assert len(load(files["phone"]).frames_THWC) == 7
    assert all(len(load(file).frames_THWC) > 5 for file in files.values())


def test_what_cannot_be_read_is_named_and_what_goes_with_it_is_not(tmp_path):
    write_movie(tmp_path / "cat.mp4", process(0))
    others = ("cat.json", "cat.txt", "list.csv", "cat.srt", "song.mp3", "Thumbs.db", ".DS_Store")
    for name in (*others, "work.kra", "all.zip", "half.mp4.part"):
        (tmp_path / name).write_bytes(b"{}")
    found, skipped = processes.find([tmp_path])
    assert names(found) == ["cat.mp4"]
    assert set(reasons(skipped)) == {"work.kra", "all.zip", "half.mp4.part"}
    assert all("neither a picture nor a video" in skip.reason for skip in skipped)


def test_a_raw_photo_beside_its_jpg_is_not_another_step(tmp_path):
    write_numbered(tmp_path / "cup", ["1.jpg", "2.jpg", "3.jpg"])
    for name in ("1.dng", "3.dng"):
        (tmp_path / "cup" / name).write_bytes(b"II*\0")
    (file,), skipped = processes.find([tmp_path])
    assert len(load(file).frames_THWC) == 3
    assert set(reasons(skipped)) == {"cup/1.dng", "cup/3.dng"}


def test_one_bad_picture_costs_itself_and_is_said(tmp_path):
    frames_THWC = write_numbered(tmp_path / "cup", [f"{n}.png" for n in range(1, 8)])
    folder = tmp_path / "cup"
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:60])
    (folder / "3.png").unlink()
    (folder / "3.png").symlink_to("nowhere.png")
    (folder / "4.png").write_bytes(b"")
    (folder / "5.png").unlink()
    (folder / "5.png").mkdir()
    (folder / "6.png").unlink()
    os.mkfifo(folder / "6.png")
    (file,), skipped = processes.find([tmp_path])
    assert reasons(skipped) == {
        "cup/5.png": "it is a folder, and holds no process",
        "cup/6.png": "it is a pipe, a socket or a device, not a file",
    }
    loaded, notes = noted(file)
    np.testing.assert_array_equal(loaded.frames_THWC, frames_THWC[[0, 6]])
    for name in ("2.png", "3.png", "4.png"):
        assert sum(f"cup/{name} " in note and "left out of cup" in note for note in notes) == 1
    assert processes.content_key(file)


def test_stated_progress_keeps_its_places_when_a_picture_is_bad(tmp_path):
    write_pictures(tmp_path / "cup", process(0, frames=4))
    (tmp_path / "cup" / "2.png").write_bytes(b"bad")
    (tmp_path / "cup" / "process.json").write_text('{"progress": [0, 0.1, 0.3, 1]}')
    loaded, _ = noted(find(tmp_path)[0])
    np.testing.assert_allclose(loaded.progress_T, [0, 0.3, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "is_guess"),
    [
        (["Step1.png", "step2.png", "Step3.png", "step4.png"], False),
        (["step 1.png", "step 2.png", "step 3.png", "final 4.png"], True),
        (["at 11.58 AM.png", "at 12.05 PM.png", "at 1.10 PM.png", "at 10.00 PM.png"], False),
    ],
)
def test_steps_are_in_the_order_of_a_person_and_a_guess_is_said(tmp_path, given, is_guess):
    frames_THWC = write_numbered(tmp_path / "cup", given)
    loaded, notes = noted(find(tmp_path)[0])
    np.testing.assert_array_equal(loaded.frames_THWC, frames_THWC)
    assert bool(notes) == is_guess
    if is_guess:
        assert "leave their order open; it is taken as step 1.png, step 2.png" in notes[0]


def test_what_a_pattern_matches_in_one_folder_is_one_process(tmp_path):
    frames_THWC = write_numbered(tmp_path / "set" / "cup", [f"a{n}.png" for n in range(4)])
    write_numbered(tmp_path / "set" / "cup", [f"b{n}.png" for n in range(3)])
    write_numbered(tmp_path / "set" / "hat", ["a1.png", "a2.png"])
    write_numbered(tmp_path / "set" / "one", ["a1.png"])
    found, skipped = processes.find([tmp_path / "set" / "*" / "a*.png"], medium="oil")
    assert names(found) == ["cup", "hat"]
    assert reasons(skipped) == {"a1.png": "a single picture is no process"}
    np.testing.assert_array_equal(load(found[0]).frames_THWC, frames_THWC)
    assert processes.content_key(found[0]) != processes.content_key(
        find(tmp_path / "set" / "cup" / "*.png")[0]
    )
    assert record(found[0]).source == "cup"


def test_pictures_named_one_by_one_are_one_process(tmp_path):
    frames_THWC = write_numbered(tmp_path / "cup", ["1.png", "2.png", "10.png"])
    write_movie(tmp_path / "cat.mp4", process(0))
    given = [tmp_path / "cup" / name for name in ("1.png", "10.png", "2.png")]
    found = find(*given, tmp_path / "cat.mp4")
    assert names(found) == ["cat.mp4", "cup"]
    np.testing.assert_array_equal(load(found[1]).frames_THWC, frames_THWC)


def test_a_folders_record_describes_the_pictures_that_a_pattern_names(tmp_path):
    write_numbered(tmp_path / "cup", ["1.png", "2.png", "3.png"])
    (tmp_path / "cup" / "process.json").write_text('{"medium": "ink"}')
    assert find(tmp_path / "cup" / "*.png")[0].medium == "ink"


def test_the_users_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_movie(tmp_path / "in" / "cat.mp4", process(0))
    (tmp_path / "list.jsonl").write_text('{"path": "~/in/cat.mp4"}')
    for source in ("~/in", "~/in/cat.mp4", "~/in/*.mp4", "~/list.jsonl"):
        (file,) = find(source)
        assert len(load(file).frames_THWC) == 5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.json", '[{"path": "cat.mp4", "medium": "ink"}, {"path": "cup", "medium": "oil"}]'),
        ("list.json", '{"path": "cat.mp4", "medium": "ink"}\n{"path": "cup", "medium": "oil"}'),
        ("list.txt", '{"path": "cat.mp4", "medium": "ink"}\n{"path": "cup", "medium": "oil"}'),
        ("list.ndjson", '{"path": "cat.mp4", "medium": "ink"}\n{"path": "cup", "medium": "oil"}'),
        ("list.jsonl", '{"path": "cat.mp4", "medium": "ink"}\r\n{"path": "cup/*.png"}'),
    ],
)
def test_manifests_have_many_names(tmp_path, name, text):
    write_movie(tmp_path / "cat.mp4", process(0))
    write_numbered(tmp_path / "cup", ["1.png", "2.png"])
    (tmp_path / name).write_text(text)
    cat, cup = find(tmp_path / name, medium="oil", known_media=media.MEDIA)
    assert (cat.medium, cup.medium) == ("ink", "oil")
    assert len(load(cup).frames_THWC) == 2


@pytest.mark.parametrize("text", ["[1]", '["cat.mp4"]', "[{}]", "[", "[" * 5000, "{}"])
def test_a_manifest_with_a_mistake_ends_in_one_line(tmp_path, text):
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(UserError, match=r"list\.json"):
        find(tmp_path / "list.json")


@pytest.mark.parametrize("path", ["cat\0.mp4", "\ud800.mp4", "", "."])
def test_a_path_that_no_file_can_have_is_refused(tmp_path, path):
    (tmp_path / "list.jsonl").write_text(json.dumps({"path": path}))
    with pytest.raises(UserError, match=r"list\.jsonl line 1: path .* names no video"):
        find(tmp_path / "list.jsonl")


def test_a_manifest_with_a_key_that_is_unknown_is_refused(tmp_path):
    (tmp_path / "list.jsonl").write_text('{"path": "cat.mp4", "colour": "red"}')
    with pytest.raises(UserError, match=r"list\.jsonl line 1 says 'colour': known are path, pic"):
        find(tmp_path / "list.jsonl")


def test_a_device_in_a_manifest_is_not_read(tmp_path):
    (tmp_path / "list.jsonl").write_text('{"path": "/dev/zero"}')
    (file,) = find(tmp_path / "list.jsonl")
    for read in (processes.content_key, load):
        with pytest.raises(UserError, match="/dev/zero is a pipe, a socket or a device"):
            read(file)


def test_paths_that_are_there_twice_have_names_of_their_own(tmp_path):
    write_movie(tmp_path / "猫.mp4", process(0))
    rows = ({"path": "猫.mp4"}, {"path": "猫.mp4"}, {"path": str(tmp_path / "猫.mp4")})
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = find(tmp_path / "list.jsonl")
    assert names(found) == ["猫.mp4", "猫.mp4#2", str(tmp_path / "猫.mp4")]
    assert {len(load(file).frames_THWC) for file in found} == {5}


def test_a_name_with_a_line_break_is_said_in_one_line(tmp_path):
    write_movie(tmp_path / "in" / "a\nb.mp4", process(0))
    (tmp_path / "in" / "c\nd.bin").write_bytes(b"none")
    (file,), (skip,) = processes.find([tmp_path / "in"])
    assert (file.name, skip.name) == (r"a\nb.mp4", r"c\nd.bin")
    assert len(load(file).frames_THWC) == 5


# What was edited in recordings.


def _edited(tmp_path) -> dict[str, np.ndarray]:
    painted = process(3, frames=12)
    fade = [(painted[-1] * share).astype(np.uint8) for share in (0.7, 0.4, 0.1, 0)]
    made = {
        "intro": np.stack([*[painted[-1]] * 4, *painted]),
        "fade": np.stack([*painted, *fade]),
        "backwards": painted[::-1],
        "plain": painted,
    }
    for name, frames_THWC in made.items():
        write_pictures(tmp_path / "in" / name, frames_THWC)
    return made


def test_edits_are_cut_off_turned_or_kept_and_said(tmp_path):
    made = _edited(tmp_path)
    files = {file.name: file for file in find(tmp_path / "in", medium="oil")}
    said = {
        "intro": "intro shows the finished picture before the canvas, which is",
        "fade": "fade fades out or ends without the picture, which is",
    }
    for name, phrase in said.items():
        for edits in timelapse.CHOICES:
            loaded, notes = noted(files[name], edits=edits)
            kept = edits == timelapse.KEEP
            np.testing.assert_array_equal(loaded.frames_THWC, made[name if kept else "plain"])
            assert notes == [f"{phrase} {'kept: --edits=cut cuts it off' if kept else 'cut off'}"]
            assert (loaded.progress_T[0], loaded.progress_T[-1]) == (0, 1)
    kept, notes = noted(files["backwards"])
    assert kept.looks_reversed
    assert not notes
    turned, notes = noted(files["backwards"], edits=timelapse.TURN)
    np.testing.assert_array_equal(turned.frames_THWC, made["plain"])
    assert (turned.was_reversed, turned.looks_reversed) == (True, False)
    assert notes == ["backwards looks as if it ran backwards: it is turned round"]
    assert noted(files["plain"], edits=timelapse.TURN)[1] == []


def test_a_record_is_not_made_of_what_runs_backwards(tmp_path):
    _edited(tmp_path)
    (file,) = find(tmp_path / "in" / "backwards", medium="oil")
    options = {"max_frames": 200, "max_side": 64}
    with pytest.raises(UserError, match=r"backwards looks as if it ran backwards: --edits"):
        processes.to_record(file, **options, edits=timelapse.CUT)
    with remarks.collected() as notes:
        processes.to_record(file, **options)
    assert "is kept so" in notes[0]


def test_stated_progress_is_believed(tmp_path):
    made = _edited(tmp_path)
    for name in ("intro", "backwards"):
        progress = np.linspace(0, 1, len(made[name])).tolist()
        folder = tmp_path / "in" / name
        (folder / "process.json").write_text(json.dumps({"progress": progress}))
        (file,) = find(folder)
        loaded, notes = noted(file, edits=timelapse.TURN)
        np.testing.assert_array_equal(loaded.frames_THWC, made[name])
        assert not notes


def test_what_is_left_after_a_cut_is_read_again_in_full(tmp_path):
    painted = movies.filling(40)
    painted[:, :, :30] = 255
    movies.write(tmp_path / "a.mp4", [*[painted[-1]] * 40, *painted], options={"crf": "10"})
    (file,) = find(tmp_path)
    with remarks.collected():
        loaded = processes.load(file, max_frames=20, max_side=64, edits=timelapse.CUT)
    assert len(loaded.frames_THWC) == 20
    assert loaded.frames_THWC[0].mean() > 240


def test_times_closer_than_float32_make_a_record(tmp_path):
    images = [Image.fromarray(frame) for frame in process(0, frames=5)]
    durations = [1, 60_000_000, 1, 1, 1]
    images[0].save(tmp_path / "a.png", save_all=True, append_images=images[1:], duration=durations)
    made = record(find(tmp_path, medium="oil")[0])
    assert np.all(np.diff(made.progress) > 0)
    assert (made.progress[0], made.progress[-1]) == (0, 1)

import numpy as np
import pytest
from PIL import Image

from painting_jax.data import pictures, subjects
from painting_jax.errors import UserError
from tests.synthetic import scene


@pytest.fixture
def folder(tmp_path):
    """Two pictures, and two that cannot be painted."""
    (tmp_path / "in").mkdir()
    for name in ("ant.png", "cat.png"):
        (tmp_path / "in" / name).write_bytes(pictures.encode(scene(0), "png"))
    (tmp_path / "in" / "bee.png").write_bytes(pictures.encode(scene(0), "png")[:200])
    Image.fromarray(np.zeros((16, 16), np.float32)).save(tmp_path / "in" / "dog.tif")
    return tmp_path / "in"


@pytest.mark.parametrize("pattern", ["", "/*", "/**/*.*"])
def test_pictures_of_a_folder_that_cannot_be_read_are_skipped_with_their_reason(folder, pattern):
    found, skipped = subjects.from_files([f"{folder}{pattern}"])
    assert [subject.name for subject in found] == ["ant", "cat"]
    assert [subject.origin for subject in found] == ["ant.png", "cat.png"]
    assert [skip.name for skip in skipped] == ["bee.png", "dog.tif"]
    assert "cut short" in skipped[0].reason
    assert "floating point" in skipped[1].reason


def test_references_of_videos_are_named_after_their_folders(tmp_path):
    for name in ("a.b", "c"):
        (tmp_path / "test" / "channel" / name).mkdir(parents=True)
        reference = tmp_path / "test" / "channel" / name / "reference_frame.png"
        reference.write_bytes(pictures.encode(scene(0), "png"))
    found, _ = subjects.from_files([f"{tmp_path}/test/*/*/reference_frame.png"])
    assert [subject.name for subject in found] == ["a.b", "c"]
    assert [subject.origin for subject in found] == ["a.b", "c"]


def test_a_picture_that_is_named_itself_must_be_readable(folder):
    with pytest.raises(UserError, match="cut short"):
        subjects.from_files([str(folder), str(folder / "bee.png")])


def test_a_folder_without_a_readable_picture_is_a_user_error(folder):
    with pytest.raises(UserError, match=r"none of the 2 pictures.*bee\.png is damaged"):
        subjects.from_files([f"{folder}/[bd]*"])


def test_pictures_of_a_folder_without_a_map_are_skipped(folder, tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "cat.png").write_bytes(pictures.encode(scene(0) // 128, "png"))
    found, skipped = subjects.from_files([str(folder)], tmp_path / "maps")
    assert [subject.name for subject in found] == ["cat"]
    assert found[0].load()[1].shape == (40, 56)
    assert "maps/ant.png does not exist" in skipped[0].reason

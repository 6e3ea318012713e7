"""Methods are compared, and written, as Loomis Painter's authors do it."""

import itertools
import pickle

import numpy as np
import pytest
from PIL import Image, ImageOps

from painting_jax.data import pictures, remarks
from painting_jax.errors import UserError
from painting_jax.evaluation import loomis_export, loomis_protocol, measurement
from painting_jax.evaluation.cache import Cache
from painting_jax.evaluation.folder_source import FolderSource
from painting_jax.evaluation.measures import GENERATED, RECORDED
from painting_jax.evaluation.methods import Method
from tests.data.artwork.exported import write
from tests.evaluation.recordings import PIXELS, process, write_movie, write_pictures


def squares(frames_THWC: np.ndarray, side: int) -> np.ndarray:
    """Frames as a method paints them that is given the reference as the authors pad it."""
    images = (Image.fromarray(frame_HWC) for frame_HWC in frames_THWC)
    contained = (ImageOps.contain(image, (side, side)) for image in images)
    return np.stack([ImageOps.pad(image, (side, side), color="white") for image in contained])


def source_of(root, generated="generated", protocol=loomis_protocol.NAME):
    methods = [Method(GENERATED, str(root / generated))]
    recorded = str(root / "recorded")
    return FolderSource(methods, recorded, frames=9, size=128, protocol=protocol)


def measured(root, **options):
    source = source_of(root, **options)
    cache = Cache(root / "partial", source.depends_on)
    return measurement.evaluate(source, PIXELS, cache, seed=0, watch=lambda items, _: items)


def numbers(result):
    return {
        row.name: {key: value for key, value in row.numbers.items() if np.isfinite(value)}
        for row in result.rows
        if row.method == GENERATED
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two recorded tests, one recorded training, and what a method painted of the tests."""
    root = tmp_path_factory.mktemp("loomis")
    for seed, (split, name) in enumerate((("test", "a"), ("test", "b"), ("train", "c"))):
        frames_THWC = process(seed, frames=5, height=90, width=128)
        write(root / "recorded" / split / "channel" / name, frames_THWC, form="png")
        if split == "test":
            folder = root / "generated" / split / "channel" / name
            write(folder, squares(frames_THWC[::2], 128), reference=False, form="png")
    return root


@pytest.mark.parametrize("side", [64, 511, 512])
def test_pictures_lie_in_their_squares_where_pillow_puts_them(side):
    for height, width in itertools.product((61, 100, 333, 480), (97, 128, 512, 854)):
        black = Image.new("RGB", (width, height))
        [square_HWC] = squares(np.asarray(black)[None], side)
        inside_HW = square_HWC[..., 0] < 128
        rows, columns = (np.flatnonzero(inside_HW.any(axis)) for axis in (1, 0))
        box = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
        assert loomis_protocol._box(side, height, width) == box


def test_padding_is_no_difference_to_the_recorded_process(root):
    result = measured(root)
    assert [row.name for row in result.rows if row.method == RECORDED] == ["channel/a", "channel/b"]
    for each in numbers(result).values():
        assert each["final_distance"] == pytest.approx(0, abs=1e-6)
        assert each["between"] < 0.1
    assert all(row.cut < 0.1 for row in result.rows)
    assert "1 recorded video of other splits than test" in result.skipped
    assert loomis_protocol.NOTE in result.notes
    plain = numbers(measured(root, protocol=None))
    assert min(each["final_distance"] for each in plain.values()) > 0.01


def test_the_split_may_be_named_itself(root):
    whole = numbers(measured(root))
    assert numbers(measured(root, generated="generated/test")) == whole


def test_other_forms_are_paired_by_source_and_id(root, tmp_path):
    (tmp_path / "recorded").symlink_to(root / "recorded")
    frames_THWC = process(0, frames=5, height=90, width=128)
    write_movie(tmp_path / "generated" / "channel" / "a.mp4", frames_THWC)
    write_pictures(tmp_path / "generated" / "channel" / "b" / "steps", frames_THWC)
    (tmp_path / "generated" / "channel" / "b" / "process.json").write_text("{}")
    assert numbers(measured(tmp_path)).keys() == {"channel/a", "channel/b"}


def test_results_of_generate_are_paired_by_the_id_that_they_state(root, tmp_path):
    (tmp_path / "recorded").symlink_to(root / "recorded")
    write_pictures(tmp_path / "generated" / "b-oil" / "steps", process(1, frames=5, height=90))
    (tmp_path / "generated" / "b-oil" / "process.json").write_text('{"picture": "b"}')
    assert numbers(measured(tmp_path)).keys() == {"channel/b"}


def test_what_is_exported_is_what_was_measured(root, tmp_path):
    (tmp_path / "recorded").symlink_to(root / "recorded")
    count = loomis_export.write(source_of(root), tmp_path / "export", lambda items, _: items)
    assert count == 2
    folder = tmp_path / "export" / GENERATED / "test" / "channel" / "a"
    frames, progress = (
        pickle.loads((folder / f"frame_{name}.pkl").read_bytes()) for name in ("data", "progress")
    )
    assert progress == [0.0, 0.5, 1.0]
    expected_THWC = process(0, frames=5, height=90, width=128)[::2]
    np.testing.assert_array_equal([pictures.decode(frame) for frame in frames], expected_THWC)
    again = numbers(measured(tmp_path, generated=f"export/{GENERATED}"))
    assert again == numbers(measured(root))


def test_videos_that_run_backwards_are_exported_in_painted_order(root, tmp_path):
    (tmp_path / "recorded").symlink_to(root / "recorded")
    frames_THWC = process(0, frames=5, height=90, width=128)
    write_pictures(tmp_path / "generated" / "channel" / "a", frames_THWC[::-1])
    loomis_export.write(source_of(tmp_path), tmp_path / "export", lambda items, _: items)
    folder = tmp_path / "export" / GENERATED / "test" / "channel" / "a"
    frames = pickle.loads((folder / "frame_data.pkl").read_bytes())
    np.testing.assert_array_equal([pictures.decode(frame) for frame in frames], frames_THWC)


def test_a_reference_that_is_another_picture_is_named(tmp_path):
    frames_THWC = process(0, frames=5, height=90, width=128)
    folder = tmp_path / "recorded" / "test" / "channel" / "a"
    write(folder, frames_THWC)
    (folder / "reference_frame.png").write_bytes(pictures.encode(255 - frames_THWC[-1], "png"))
    write(tmp_path / "generated" / "test" / "channel" / "a", frames_THWC)
    with remarks.collected():
        result = measured(tmp_path)
    assert any("of 255 from its reference_frame.png" in note for note in result.notes)


def test_a_recorded_set_without_test_videos_is_refused(tmp_path):
    frames_THWC = process(0, frames=5)
    for folder in ("recorded/train/channel/a", "generated/test/channel/a"):
        write(tmp_path / folder, frames_THWC)
    with pytest.raises(UserError, match="holds none: name a folder with test/SOURCE/ID"):
        source_of(tmp_path)


def test_an_export_replaces_nothing_and_is_not_evaluated(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "videos").mkdir()
    for name, said in (("full", "is not empty"), ("videos/new", "which is evaluated")):
        with pytest.raises(UserError, match=said):
            loomis_export.check("export", tmp_path / name, [tmp_path / "videos"])
    loomis_export.check("export", tmp_path / "new", [tmp_path / "videos"])

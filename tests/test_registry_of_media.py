"""Runs and data sets keep their media when the registry is reordered, or has one more."""

import contextlib
import json
import pathlib
from collections.abc import Iterator

import jax
import numpy as np
import pytest

from painting_jax.config import read_config
from painting_jax.data import pictures, pipeline
from painting_jax.data.subjects import Subject
from painting_jax.errors import UserError
from painting_jax.generation.devices import Devices
from painting_jax.generation.from_run import RunPainter
from painting_jax.generation.job import Job
from painting_jax.generation.run import Run
from painting_jax.media import MEDIA, Medium
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.training.checkpoint import Checkpoints
from painting_jax.training.initialisation import check_init_from, start_state
from painting_jax.training.workdir import as_run_began, claimed
from tests.synthetic import build_painted, write_photos
from tests.test_earlier_runs import FIXTURES, unpack
from tests.training.published_run import ONE_DEVICE

BEFORE = tuple(MEDIA)


@contextlib.contextmanager
def grown_registry() -> Iterator[None]:
    """One medium more, of one pigment, and the others in reverse order behind it."""
    before = dict(MEDIA)
    MEDIA.clear()
    MEDIA["sanguine"] = Medium("Sanguine drawing process step by step.", mono=True)
    MEDIA.update(reversed(before.items()))
    try:
        yield
    finally:
        MEDIA.clear()
        MEDIA.update(before)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> pathlib.Path:
    """A run of ten media, made before runs stored them."""
    return unpack("picture", tmp_path_factory.mktemp("runs"))


def paint(model: Run, medium: str) -> np.ndarray:
    picture_HWC = pictures.decode((FIXTURES / "picture.png").read_bytes())
    # The regions that were found when the frames were painted.
    labels_HW = pictures.decode((FIXTURES / "regions.png").read_bytes())[..., 0] // 25
    subject = Subject("picture", "made up", lambda: (picture_HWC, labels_HW))
    asked = {"prompt": "", "segments": "", "frames": None, "steps": None, "guidance": None}
    painter = RunPainter(model, **asked, seed=3, size=16)
    [painted] = painter.generate([Job(subject, medium, pathlib.Path())])
    return painted.frames_THWC


def assert_paints_as_before(model: Run) -> None:
    for medium, frames_THWC in np.load(FIXTURES / "picture.npz").items():
        painted_THWC = paint(model, medium)
        np.testing.assert_allclose(painted_THWC.astype(int), frames_THWC, atol=2)


def test_a_run_paints_its_own_media_and_refuses_others(run):
    with grown_registry():
        model = Run.load(run, Devices(ONE_DEVICE))
        assert_paints_as_before(model)
        with pytest.raises(UserError, match="does not know 'sanguine': it knows acrylic, oil, w"):
            paint(model, "oil:0.5,sanguine:0.5")


@pytest.mark.parametrize("media", [("sanguine", *reversed(BEFORE)), ("watercolor", "ink", "oil")])
def test_a_run_starts_from_one_of_other_media(run, tmp_path, media):
    config = read_config(run)
    config.init_from = str(run)
    with grown_registry():
        config.model.media = media
        check_init_from(config)
        task = FromScratch(config)
        conditioner = task.text_conditioner(run, (), ONE_DEVICE)
        with contextlib.closing(Checkpoints(tmp_path)) as checkpoints, jax.set_mesh(ONE_DEVICE):
            state, _, origin = start_state(task, checkpoints, ONE_DEVICE)
        assert origin == f"started from {run}"
        table_MLD = state.params["transformer"]["medium_table"]
        assert len(table_MLD) == len(media)
        fresh_MLD = task.init_params()["transformer"]["medium_table"]
        same_M = np.all(np.asarray(table_MLD) == fresh_MLD, axis=(1, 2))
        assert [name for name, same in zip(media, same_M, strict=True) if same] == [
            name for name in media if name not in BEFORE
        ]
        assert_paints_as_before(Run(task, state.params, {}, conditioner, 0, ONE_DEVICE))


def test_a_run_is_resumed_with_the_media_that_it_began_with(tiny, tmp_path):
    data = tiny.data.data_dir
    with claimed(tmp_path, tiny, data) as begun:
        begun()
    assert json.loads((tmp_path / "config.json").read_text())["model"]["media"] == list(BEFORE)
    with grown_registry():
        tiny.model.media = tuple(MEDIA)
        resumed = as_run_began(tiny, tmp_path)
        assert resumed.model.media == BEFORE
        assert as_run_began(tiny, tmp_path / "new").model.media == tuple(MEDIA)
        with claimed(tmp_path, resumed, data):
            pass
        tiny.model.media = ("oil", "pencil")
        said = pytest.raises(UserError, match=r"model\.media was")
        with said, claimed(tmp_path, as_run_began(tiny, tmp_path), data):
            pass


def test_a_data_set_keeps_its_media_and_is_known_again(tmp_path):
    write_photos(tmp_path / "photos", 1)
    changes = {"media": ("pencil", "oil"), "frames": 2, "variants": 1}
    build_painted(tmp_path / "data", tmp_path / "photos", **changes)
    with grown_registry():
        again = build_painted(tmp_path / "data", tmp_path / "photos", **changes)
        assert not again.built
        source = pipeline.DataSource(tmp_path / "data", "train")
        media = {record.id: record.medium for record in map(source.record, range(len(source)))}
        assert media == {f"photo0.png/{name}/0": name for name in ("pencil", "oil")}


def test_rows_of_a_batch_are_those_of_the_models_media(painted_dir):
    source = pipeline.DataSource(painted_dir, "train")
    conditioner = type("Nothing", (), {"encode": lambda self, caption, mixture: {}})()

    def row(*media: str) -> np.ndarray:
        record = source.record(0)
        return pipeline.Examples(2, 16, 16, conditioner, media).of(record, 0, None)["medium_BM"]

    name = source.record(0).medium
    np.testing.assert_array_equal(row("ink", "digital", name), [0, 0, 1])
    with pytest.raises(UserError, match=f"does not know '{name}': it knows ink, digital"):
        row("ink", "digital")

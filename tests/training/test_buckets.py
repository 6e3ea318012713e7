"""A LoRA trained in aspect buckets on a tiny random Wan2.1, and what is painted with it."""

import pathlib
import re
import shutil

import pytest

from configs import wan21_t2v_1_3b
from painting_jax.data import building, pictures, splits
from painting_jax.data.builders import recorded_processes
from painting_jax.data.cached_latents import CachedExamples, CachedSource
from painting_jax.data.pipeline import DataSource
from painting_jax.data.records import Records
from painting_jax.data.subjects import Subject
from painting_jax.errors import UserError
from painting_jax.generation.devices import Devices
from painting_jax.generation.from_run import finetuned_painter
from painting_jax.generation.job import Job
from painting_jax.generation.overrides import SamplingOverrides
from painting_jax.tasks.registry import make_task
from painting_jax.training import loop
from tests import tiny_wan
from tests.synthetic import recording
from tests.tiny_cached import cache
from tests.training import runs
from tests.training.published_run import (
    ONE_DEVICE,
    assert_resumed_as_left_alone,
    one_device,
    paint,
    train,
)

FRAMES, STEPS, SAVED = 5, 6, 3
LANDSCAPE, PORTRAIT = (16, 32), (32, 16)
# Name -> height and width; a strip fits no bucket.
CANVASES = {"landscape": (32, 64), "portrait": (64, 32), "portrait 2": (48, 24), "strip": (24, 96)}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Canvases of several shapes, each in the training and in the validation split."""
    root = tmp_path_factory.mktemp("canvases")
    for seed, split in enumerate(("train", "validation")):
        for name, (height, width) in CANVASES.items():
            folder = root / "in" / f"{split} {name}"
            folder.mkdir(parents=True)
            for number, frame_HWC in enumerate(recording(seed, 6, height, width)):
                (folder / f"{number}.png").write_bytes(pictures.encode(frame_HWC, "png"))
    with pytest.MonkeyPatch.context() as patch:
        half = len(CANVASES)

        def assign(keys, pairs, stated):
            # Sources come in the order of their names.
            ordered = list(dict.fromkeys(keys))
            return {key: splits.SPLITS[place >= half] for place, key in enumerate(ordered)}

        patch.setattr(splits, "assign", assign)
        config = recorded_processes.Config(name="default", source=(str(root / "in"),), medium="oil")
        building.build(recorded_processes.Builder, config, root / "data")
    return root / "data"


@pytest.fixture(scope="module")
def config(data_dir, tmp_path_factory):
    folder = tiny_wan.save(
        tiny_wan.pipeline("wan21_t2v"), tmp_path_factory.mktemp("published") / "t2v"
    )
    config = wan21_t2v_1_3b.get_config(f"lora,rank=3,steps={STEPS},tiny")
    config.pretrained.path = str(folder)
    config.model.update(dim=24, ffn_dim=32, text_dim=16, in_channels=4, remat="none")
    config.data.data_dir = str(data_dir)
    config.data.update(frames=FRAMES, height=16, width=32, batch_size=2, buckets=("2:1", "1:2"))
    config.sampling.update(steps=1, guidance=1.0, shift=3.0)
    config.checkpoint.every = SAVED
    config.log.update(every=1, samples=4, samples_every=STEPS, eval_every=100)
    return config


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    return train(config, tmp_path_factory.mktemp("run") / "run")


def _shape_of(source: Records, rows: list[int]) -> set[tuple[int, int]]:
    return {
        PORTRAIT if source.rows[row].height > source.rows[row].width else LANDSCAPE for row in rows
    }


def test_each_step_has_one_bucket_and_each_bucket_is_compiled_once(run, config, data_dir):
    source = DataSource(data_dir, "train")
    shapes = [_shape_of(source, rows) for rows in runs.examples(run.workdir)]
    assert len(shapes) == STEPS
    assert all(len(shape) == 1 for shape in shapes)
    assert set.union(*shapes) == {LANDSCAPE, PORTRAIT}
    said = re.findall(r"step (\d+): compiling for frames of (\d+)x(\d+)", run.printed)
    first = {shape: shapes.index({shape}) for shape in (LANDSCAPE, PORTRAIT)}
    assert sorted((int(h), int(w), int(step)) for step, h, w in said) == sorted(
        (*shape, step) for shape, step in first.items()
    )
    assert "each compiled at its first step: 16x32 (2), 32x16 (2)" in run.printed
    assert "1 of 4 processes fit no bucket: they are padded" in run.printed


def test_interrupted_and_resumed_it_is_bit_for_bit_the_run_left_alone(run, config, tmp_path):
    assert_resumed_as_left_alone(config, run.workdir, tmp_path / "run", saved=SAVED)


def test_on_cached_latents_each_step_has_the_same_processes_in_the_same_bucket(
    run, config, tmp_path
):
    config = config.copy_and_resolve_references()
    config.data.data_dir = str(shutil.copytree(config.data.data_dir, tmp_path / "data"))
    path = cache(config)
    config.data.cached_latents, config.objective.augment = True, 0.0
    again = train(config, tmp_path / "run")
    assert runs.examples(again.workdir) == runs.examples(run.workdir)
    said = re.compile(r"step \d+: compiling for .*|buckets with .*|\d of \d processes fit .*")
    assert said.findall(again.printed) == said.findall(run.printed)
    assert again.sheet.shape == run.sheet.shape
    source = CachedSource(path, "train")
    examples = CachedExamples(4, make_task(config, again.workdir).shapes, 8)
    for index, row in enumerate(source.rows):
        made, strip = examples.of(source.record(index), index, None), row.width == 4 * row.height
        assert {examples.sides(made)} == _shape_of(source, [index])
        assert made["judged_BHW"].shape == examples.sides(made)
        assert made["judged_BHW"].mean() == (0.5 if strip else 1)


@pytest.mark.parametrize(
    ("picture_HW", "bucket_HW", "painted_HW"),
    [
        ((64, 32), PORTRAIT, PORTRAIT),
        ((40, 80), LANDSCAPE, LANDSCAPE),
        # Padded to the nearest bucket, and cut out of it.
        ((30, 40), LANDSCAPE, (16, 21)),
        ((24, 96), LANDSCAPE, (8, 32)),
    ],
)
def test_it_paints_in_the_shapes_that_it_was_trained_in(run, picture_HW, bucket_HW, painted_HW):
    result = paint(run.workdir, tiny_wan.picture(*picture_HW), SamplingOverrides(), "oil")
    assert result.raw_THWC.shape == (FRAMES, *bucket_HW, 3)
    assert result.frames_THWC.shape[1:3] == painted_HW
    assert (result.parameters["height"], result.parameters["width"]) == bucket_HW


@pytest.mark.parametrize(
    ("asked", "shape_HW"),
    [
        ({"height": 16, "width": 48}, (16, 48)),
        ({"height": 48}, (48, 16)),
        ({"max_area": 64 * 64}, (80, 32)),
        ({}, PORTRAIT),
    ],
)
def test_a_size_that_is_asked_for_counts_more_than_its_buckets(run, asked, shape_HW):
    painter = finetuned_painter(
        run.workdir, SamplingOverrides(**asked), devices=Devices(ONE_DEVICE)
    )
    subject = Subject("picture", "made up", lambda: (tiny_wan.picture(64, 32), None))
    batch, framing = painter._batch(Job(subject, "oil", pathlib.Path()))
    assert batch["reference_BHWC"].shape[1:3] == shape_HW
    assert framing is None


def test_the_sheet_shows_every_held_out_canvas_whole(run):
    # Four processes, recorded and painted; every canvas is put on one that holds them all.
    assert run.sheet.shape == (4 * 2 * (FRAMES - 1), 32, 32, 3)


def test_too_small_canvases_are_refused_unless_allowed(config, tmp_path):
    larger = config.copy_and_resolve_references()
    larger.data.update(height=64, width=128)
    said = "4 of 4 train processes are too small, such as .*: prepare larger ones with --size"
    with one_device(), pytest.raises(UserError, match=said):
        loop.train(larger, tmp_path / "run")
    assert not (tmp_path / "run").exists()

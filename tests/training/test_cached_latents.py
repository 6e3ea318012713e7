"""Training on latents that were cached is training on their pictures, without the encoding."""

import contextlib
import io
import pathlib
import re
import shutil

import jax
import numpy as np
import pytest

from painting_jax.data import dataset_folder, pipeline
from painting_jax.data.cached_latents import CachedSource
from painting_jax.errors import UserError
from painting_jax.generation.devices import Devices
from painting_jax.generation.run import Run
from painting_jax.sharding.batches import global_batch
from painting_jax.tasks import latents
from painting_jax.tasks.registry import make_task
from painting_jax.training import loop
from painting_jax.training.initialisation import start_state
from painting_jax.training.step import TrainMetrics, make_held_out_loss, make_train_step
from tests.caching.test_job import spoil
from tests.tiny_cached import FRAMES, ONE_DEVICE, SIDE, cache, experiment
from tests.training import runs
from tests.training.published_run import assert_resumed_as_left_alone, one_device, train

STEPS = 4


@pytest.fixture(scope="module", params=["wan21_i2v", "wan22_ti2v"])
def cached_kind(request, tmp_path_factory):
    """A kind of model, and the folder where its weights, pictures and latents are."""
    root = tmp_path_factory.mktemp(request.param)
    cache(experiment(request.param, root))
    return request.param, root


def trained(config, workdir: pathlib.Path) -> tuple[list[float], list[int], float]:
    """Losses of some steps, the rows that they saw, and the held-out loss in the end."""
    loop.begin_base(config, workdir, source := loop._source(config))
    task = make_task(config, workdir)
    examples, load_frozen = loop._examples(task, workdir, source, None, ONE_DEVICE)
    batches = pipeline.training_batches(source, examples, batch_size=2, seed=config.seed)
    losses, seen = [], []
    with jax.set_mesh(ONE_DEVICE), contextlib.closing(loop.Checkpoints(workdir)) as checkpoints:
        state, _, _ = start_state(task, checkpoints, ONE_DEVICE)
        frozen, step = load_frozen(), jax.jit(make_train_step(task))
        for k in range(STEPS):
            batch = batches[k]
            seen += batch.pop("index_B").tolist()
            on_device = global_batch(batch, [0, 1], 2, ONE_DEVICE)
            state, metrics, _ = step(state, TrainMetrics.empty(), on_device, frozen)
            losses.append(float(metrics.compute()["loss"]))
        held_out_loss = jax.jit(make_held_out_loss(task))
        return losses, seen, held_out_loss(state.params, frozen, on_device, 0)


def test_the_loss_is_that_of_training_on_pictures(cached_kind, tmp_path):
    kind, root = cached_kind
    config = experiment(kind, root, lora=kind == "wan21_i2v")
    losses, seen, held_out = trained(config, tmp_path / "pictures")
    config.data.cached_latents = True
    cached_losses, cached_seen, cached_held_out = trained(config, tmp_path / "cached")
    assert cached_seen == seen
    assert len({*losses}) == STEPS
    np.testing.assert_allclose(cached_losses, losses, rtol=1e-5)
    np.testing.assert_allclose(cached_held_out, held_out, rtol=1e-5)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """An experiment whose latents are cached in bfloat16; several processes validate."""
    config = experiment("wan21_i2v", tmp_path_factory.mktemp("run"))
    cache(config, dtype="bfloat16")
    config.data.cached_latents = True
    config.checkpoint.every = 2
    return config


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    """A run on latents, where neither pictures nor encoders are read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "DataSource", None)
        patch.setattr("painting_jax.tasks.finetune.load_named", None)
        return train(config, tmp_path_factory.mktemp("further") / "run")


def test_a_run_reads_no_pictures_and_loads_no_encoders(run, config):
    assert len(runs.examples(run.workdir)) == config.steps
    assert run.frozen["codec"].keys() == {"post_quant_conv", "decoder"}
    assert run.frozen.keys() == {"empty_text_LD", "codec", "transformer"}
    losses = [float(value) for value in re.findall(r"(?<!_)loss (\S+)", run.printed)]
    assert len(losses) == config.steps
    assert "held_out_loss" in run.printed


def test_its_sheet_shows_what_was_recorded_above_what_is_painted(run, config):
    recorded, painted = np.split(run.sheet, [FRAMES])
    assert recorded.shape == painted.shape == (FRAMES, SIDE, SIDE, 3)
    source = CachedSource(latents.find(config), "validation")
    record = source.record(0)
    codec = make_task(config, run.workdir).model.encoders(run.frozen).codec
    clean_BTHWC = record.pictures[0].latents_THWC[None].astype(np.float32)
    decoded_THWC = np.asarray(jax.jit(codec.decode)(clean_BTHWC))[0, ::-1]
    shown_THWC = recorded / 127.5 - 1
    np.testing.assert_allclose(shown_THWC, decoded_THWC, atol=0.01)


def test_cut_off_and_resumed_it_is_bit_for_bit_the_run_left_alone(run, config, tmp_path):
    assert_resumed_as_left_alone(config, run.workdir, tmp_path / "run", saved=2)


def test_what_it_leaves_paints_with_encoders(run):
    loaded = Run.load(run.workdir, Devices(ONE_DEVICE))
    assert "encoder" in loaded.frozen["codec"]
    assert "image_encoder" in loaded.frozen


def refused(config, workdir: pathlib.Path, said: str) -> None:
    with (
        one_device(),
        contextlib.redirect_stdout(io.StringIO()),
        pytest.raises(UserError, match=said),
    ):
        loop.train(config, workdir)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.frames": 9}, r"\(config.data.frames was 5, is 9\): cache them with"),
        ({"data.height": 64}, r"config.data.height was 32, is 64"),
        ({"data.buckets": ("2:1", "1:1")}, r"config.data.buckets was none, is 2:1,1:1"),
        ({"model.family": "wan22"}, r"config.model.family was wan21, is wan22"),
        ({"pretrained.dtype": "bfloat16"}, r"config.pretrained.dtype was float32, is bfloat16"),
        ({"data.dataset": "recorded_processes"}, "no cached latents of recorded_processes: cache"),
        ({"objective.augment": 0.2}, "config.objective.augment=0.2: it must be 0 with config.data"),
        ({"pretrained.path": ""}, "data.cached_latents=True: name the weights that encode with"),
    ],
)
def test_latents_of_another_experiment_are_refused(config, tmp_path, changes, said):
    other = config.copy_and_resolve_references()
    other.update_from_flattened_dict(changes)
    refused(other, tmp_path / "run", said)
    assert not (tmp_path / "run").exists()


def test_models_of_pixels_are_not_trained_on_latents(tiny, tmp_path):
    tiny.data.cached_latents = True
    refused(tiny, tmp_path / "run", "models of the family painting train on pixels")


@pytest.mark.parametrize("component", ["vae", "image_encoder", "text_encoder"])
def test_latents_of_other_weights_are_refused(config, tmp_path, component):
    other = config.copy_and_resolve_references()
    other.pretrained.path = str(shutil.copytree(config.pretrained.path, tmp_path / "weights"))
    spoil(tmp_path / "weights", component)
    refused(other, tmp_path / "run", rf"\(the {component} has other weights\)")


def test_a_transformer_of_other_weights_takes_the_same_latents(config, tmp_path):
    other = config.copy_and_resolve_references()
    other.pretrained.path = str(shutil.copytree(config.pretrained.path, tmp_path / "weights"))
    spoil(tmp_path / "weights", "transformer")
    assert latents.find(other) == latents.find(config)


@pytest.fixture
def moved(config, tmp_path):
    """The experiment on a copy of the latents alone."""
    other = config.copy_and_resolve_references()
    other.data.data_dir = str(tmp_path / "data")
    shutil.copytree(
        pathlib.Path(config.data.data_dir, dataset_folder.CACHED),
        tmp_path / "data" / dataset_folder.CACHED,
    )
    return other


def test_latents_are_enough_without_their_pictures(moved):
    assert len(loop._source(moved)) == 8


def test_latents_of_pictures_that_were_prepared_anew_are_refused(config, moved, tmp_path):
    shutil.copytree(
        pathlib.Path(config.data.data_dir, "painted_images"),
        tmp_path / "data" / "painted_images",
    )
    assert latents.find(moved).exists()
    [noted] = (tmp_path / "data" / "painted_images").rglob("metadata.json")
    noted.write_text('{"fingerprint": "of others"}')
    said = r"\(the pictures in painted_images/default/1.0.0 are others\)"
    refused(moved, tmp_path / "run", said)


def test_two_that_fit_are_not_chosen_between(moved, tmp_path):
    found = latents.find(moved)
    shutil.copytree(found, found.parents[1] / "again" / found.name)
    refused(moved, tmp_path / "run", "several cached latents that fit, remove all but one: ")


def test_where_nothing_is_cached_it_says_how(config, tmp_path):
    other = config.copy_and_resolve_references()
    other.data.data_dir = str(tmp_path)
    said = "holds no cached latents: cache them with painting_jax.prepare --cache_latents"
    refused(other, tmp_path / "run", said)


def test_damage_costs_one_line(moved, tmp_path):
    path = latents.find(moved)
    [file] = path.glob("*-train.array_record-*")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    refused(moved, tmp_path / "run", "the train split is damaged|process . of train is damaged")
    flipped = bytearray(content)
    for place in range(2000, len(content), 2000):
        flipped[place] ^= 255
    file.write_bytes(flipped)
    refused(moved, tmp_path / "run", "the train split is damaged|process . of train is damaged")
    file.write_bytes(content)
    (path / "empty_prompt.safetensors").write_bytes(b"none")
    refused(moved, tmp_path / "run", "empty_prompt.safetensors is damaged")
    (path / "metadata.json").write_text("{}")
    refused(moved, tmp_path / "run", "is damaged: .*: prepare it with --overwrite")


def test_a_run_does_not_go_on_with_latents_of_less_precision(run, config, moved):
    shutil.rmtree(moved.data.data_dir)
    shutil.copytree(config.data.data_dir, moved.data.data_dir)
    pictures = moved.copy_and_resolve_references()
    pictures.data.cached_latents = False
    cache(pictures, overwrite=True)
    refused(moved, run.workdir, "data.latents_dtype was bfloat16, is float32")

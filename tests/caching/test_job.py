"""What `prepare --cache_latents` leaves: a data set of its own, once for each experiment."""

import pathlib
import re
import shutil

import jax
import numpy as np
import pytest
import tensorflow_datasets as tfds
from safetensors.numpy import load_file, save_file

from painting_jax.caching import job
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.data import dataset_folder, unfinished_latents
from painting_jax.data.cached_latents import CachedSource
from painting_jax.data.pipeline import DataSource, Examples, stack
from painting_jax.diffusion import reverse_painting
from painting_jax.errors import UserError
from painting_jax.models.codec import to_float
from painting_jax.tasks.finetune import Finetune
from tests import tiny_cached
from tests.tiny_cached import FRAMES, ONE_DEVICE, SIDE, cache, experiment


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return experiment("wan21_i2v", tmp_path_factory.mktemp("i2v"))


@pytest.fixture(scope="module")
def cached(config) -> pathlib.Path:
    return cache(config)


@pytest.fixture
def other(config, tmp_path):
    """The same experiment on a copy of the pictures, with nothing cached."""
    copied = config.copy_and_resolve_references()
    copied.data.data_dir = str(tmp_path / "data")
    shutil.copytree(
        config.data.data_dir, copied.data.data_dir, ignore=lambda *_: [dataset_folder.CACHED]
    )
    return copied


@pytest.fixture(scope="module")
def task(config) -> Finetune:
    return Finetune(config, Folder.open(config.pretrained.path))


@pytest.fixture(scope="module")
def batch(task, config, tmp_path_factory) -> dict[str, np.ndarray]:
    """Pictures of the first process."""
    source = DataSource(config.data.data_dir, "train")
    conditioner = task.text_conditioner(tmp_path_factory.mktemp("text"), [source], ONE_DEVICE)
    examples = Examples(FRAMES, SIDE, SIDE, conditioner, config.model.media, even_frames=True)
    return stack([examples.of(source.record(0), 0, None)])


@pytest.fixture(scope="module")
def encoders(task):
    return task.model.encoders(task.load_encoders(ONE_DEVICE))


def files(path: pathlib.Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_every_process_of_every_split_is_there_in_its_row(config, cached):
    assert cached == pathlib.Path(config.data.data_dir, "cached_latents", "default", "1.0.0")
    for split in ("train", "validation", "test"):
        pictures, latents = DataSource(config.data.data_dir, split), CachedSource(cached, split)
        assert latents.rows == pictures.rows
        for index in range(len(pictures)):
            one, encoded = pictures.record(index), latents.record(index)
            for name in ("id", "medium", "caption", "source", "licence"):
                assert getattr(one, name) == getattr(encoded, name)
            looks = [variant.other_look for variant in one.variants]
            assert [picture.other_look for picture in encoded.pictures] == [False, *looks]


def test_without_its_index_the_records_tell_the_same(cached, tmp_path):
    shutil.copytree(cached, tmp_path / "copy")
    (tmp_path / "copy" / "rows.json").unlink()
    assert CachedSource(tmp_path / "copy", "train").rows == CachedSource(cached, "train").rows


def test_tfds_reads_it(cached):
    builder = tfds.builder_from_directory(cached)
    first = builder.as_data_source("train")[0]
    assert first["id"].decode() == CachedSource(cached, "train").record(0).id
    assert first["picture_size"].tolist() == [SIDE, SIDE]


def test_latents_are_those_of_the_reversed_clip_and_not_reversed_latents(batch, encoders, cached):
    stored = CachedSource(cached, "train").record(0).pictures[0].latents_THWC
    video_BTHWC = to_float(batch["frames_BTHWC"])
    encode = jax.jit(encoders.codec.encode)
    expected = encode(video_BTHWC[:, ::-1])[0]
    np.testing.assert_allclose(stored, expected, atol=1e-5)
    flipped = encode(video_BTHWC)[0][::-1]
    assert np.abs(stored - flipped).max() > 0.1


def test_conditions_are_those_of_training_and_text_has_no_padding(task, batch, encoders, cached):
    stored = CachedSource(cached, "train").record(0)
    reference_BHWC = to_float(batch["reference_BHWC"])
    encode = jax.jit(
        lambda batch, reference_BHWC: reverse_painting.encode(
            batch, reference_BHWC, task.model, encoders
        )
    )
    _, expected = encode(batch, reference_BHWC)
    for name, array in stored.pictures[0].conditions.items():
        np.testing.assert_allclose(array, getattr(expected, name)[0], atol=1e-5)
    assert stored.pictures[0].conditions.keys() == {"image_BTHWC", "image_BLE"}
    length = len(stored.text_LD)
    np.testing.assert_array_equal(stored.text_LD, batch["text_BLD"][0, :length])
    assert not batch["text_BLD"][0, length:].any()
    assert 0 < len(stored.uncaptioned_LD) < length < 64


def test_several_devices_encode_what_one_does(cached, other):
    others = CachedSource(cache(other, devices=4), "train")
    source = CachedSource(cached, "train")
    for one, another in zip(
        map(source.record, range(3)), map(others.record, range(3)), strict=True
    ):
        for mine, theirs in zip(one.pictures, another.pictures, strict=True):
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
                [mine.latents_THWC, dict(mine.conditions)],
                [theirs.latents_THWC, dict(theirs.conditions)],
            )


def test_bfloat16_rounds_and_takes_half_the_space(cached, other, monkeypatch):
    said = []
    half = cache(other, dtype="bfloat16", say=said.append)
    stored = CachedSource(half, "train").record(0)
    precise = CachedSource(cached, "train").record(0)
    latents = stored.pictures[0].latents_THWC
    assert latents.dtype.name == stored.text_LD.dtype.name == "bfloat16"
    np.testing.assert_allclose(
        latents.astype(np.float32), precise.pictures[0].latents_THWC, rtol=2**-8
    )
    again = []
    cache(other, overwrite=True, say=again.append)
    whole, halved = (
        float(re.search(r"about ([\d.]+) kB .* are free", lines[0])[1]) for lines in (again, said)
    )
    assert whole == pytest.approx(2 * halved, rel=0.02)


def test_disk_use_is_said_and_too_little_is_refused(cached, other, monkeypatch):
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"take about .* kB .* 1.0 kB are free: .*latents_dtype"):
        cache(other)


def test_interrupted_at_any_shard_it_goes_on_and_ends_bit_for_bit_the_same(
    cached, other, monkeypatch
):
    # Two processes a shard.
    monkeypatch.setattr(unfinished_latents, "_SHARD_BYTES", 30_000)
    whole = files(cache(other, name="whole"))
    assert sum(".array_record-" in name for name in whole) == 6
    write, written = unfinished_latents.UnfinishedLatents.write, []

    def stop_in(place: int):
        def interrupted(self, split, shard, records):
            def cut():
                yield records[0]
                raise KeyboardInterrupt

            written.append((split, shard))
            stops = len(written) == place
            write(self, split, shard, cut() if stops else records)

        return interrupted

    path = pathlib.Path(other.data.data_dir, "cached_latents", "cut", "1.0.0")
    for place in (1, 4):
        monkeypatch.setattr(unfinished_latents.UnfinishedLatents, "write", stop_in(place))
        with pytest.raises(KeyboardInterrupt):
            cache(other, name="cut")
        assert not path.exists()
        assert [found.name for found in path.parent.iterdir()] == ["incomplete.1.0.0"]
        assert [p.parent.name for p in dataset_folder.find_cached(path.parents[2])] == ["whole"]
    said = []
    monkeypatch.setattr(unfinished_latents.UnfinishedLatents, "write", stop_in(0))
    cache(other, name="cut", say=said.append)
    assert len(written) == len({*written}) + 2, "only the shard that was cut is written again"
    assert said[1] == "goes on: 4 of 12 processes are encoded"
    assert files(path) == whole


def test_interrupted_while_it_takes_its_place_it_needs_no_encoding(cached, other, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(unfinished_latents, "sync_folder", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            cache(other)
    monkeypatch.setattr(job.Encoder, "encode", None)
    assert files(cache(other)) == files(cached)


def _interrupt(*_):
    raise KeyboardInterrupt


def test_what_was_begun_for_another_experiment_is_not_gone_on_with(other, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(unfinished_latents, "sync_folder", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            cache(other)
    with pytest.raises(UserError, match="was begun with other arguments, data or weights"):
        cache(other, dtype="bfloat16")
    assert cache(other, dtype="bfloat16", overwrite=True).exists()


def test_a_name_holds_the_latents_of_one_experiment(config, cached):
    said = []
    before = files(cached)
    assert cache(config, say=said.append) == cached
    assert said == [f"unchanged, nothing to do: {cached}"]
    longer = config.copy_and_resolve_references()
    longer.data.frames = 9
    with pytest.raises(
        UserError, match=r"other latents \(config.data.frames was 5, is 9\): give another --name"
    ):
        cache(longer)
    with pytest.raises(UserError, match="--latents_dtype was float32, is bfloat16"):
        cache(config, dtype="bfloat16")
    assert files(cached) == before


def test_pictures_are_found_beside_their_latents(config, cached):
    assert DataSource(config.data.data_dir, "train").path.parts[-3] == "painted_images"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pretrained.path": ""}, "name the weights that encode with config.pretrained.path"),
        ({"data.height": 64, "data.allow_upscaling": False}, "are too small, such as photo"),
        ({"data.frames": 6}, "config.data.frames=6: it must be 4k"),
        ({"model.dim": 48}, "config.model.dim=48: the transformer in .* has 24"),
        ({"data.dataset": "recorded_processes"}, "does not exist: make a data set"),
    ],
)
def test_what_cannot_be_encoded_is_refused_before_anything_is_written(other, changes, said):
    other.update_from_flattened_dict(changes)
    with pytest.raises(UserError, match=said):
        cache(other)
    assert not pathlib.Path(other.data.data_dir, "cached_latents").exists()


def test_models_of_pixels_have_nothing_to_encode(tiny):
    with pytest.raises(UserError, match="--cache_latents: models of the family painting train on"):
        cache(tiny)


def spoil(weights: pathlib.Path, component: str) -> None:
    """Changes the last tensor of a component."""
    [file] = (weights / component).glob("*.safetensors")
    tensors = load_file(file)
    name = sorted(tensors)[-1]
    save_file(tensors | {name: tensors[name] + 1}, file, metadata={"format": "pt"})


@pytest.mark.parametrize("component", ["vae", "image_encoder", "text_encoder"])
def test_other_weights_of_what_encodes_are_other_latents(config, cached, tmp_path, component):
    changed = config.copy_and_resolve_references()
    changed.pretrained.path = str(shutil.copytree(config.pretrained.path, tmp_path / "weights"))
    assert cache(changed) == cached, "a copy is the same model"
    spoil(tmp_path / "weights", component)
    with pytest.raises(UserError, match=rf"\(the {component} has other weights\)"):
        cache(changed)


def test_a_model_given_the_picture_as_a_frame_has_latents_for_each_picture(tmp_path):
    config = tiny_cached.experiment("wan22_ti2v", tmp_path)
    record = CachedSource(cache(config), "train").record(0)
    shapes = {picture.latents_THWC.shape for picture in record.pictures}
    assert len(record.pictures) > 1
    assert shapes == {(2, SIDE // 16, SIDE // 16, 6)}
    first, *others = (picture.latents_THWC for picture in record.pictures)
    assert all(np.abs(first[1] - other[1]).max() > 1e-3 for other in others)

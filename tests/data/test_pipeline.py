import dataclasses
import json
import shutil

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from painting_jax import media
from painting_jax.data import pictures, pipeline
from painting_jax.errors import UserError
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer


@st.composite
def _progress(draw) -> np.ndarray:
    steps = draw(st.lists(st.floats(1e-3, 1), min_size=1, max_size=30))
    times = np.concatenate([[0], np.cumsum(steps)])
    return (times / times[-1]).astype(np.float32)


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(_progress(), st.integers(2, 40), st.one_of(st.none(), st.integers(0, 99)))
def test_chosen_frames_begin_end_and_never_go_back(progress, count, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    chosen = pipeline.choose_frames(progress, count, rng)
    assert chosen.shape == (count,)
    assert chosen[0] == 0
    assert chosen[-1] == len(progress) - 1
    assert np.all(np.diff(chosen) >= 0)


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(_progress(), st.integers(2, 40))
def test_no_stored_frame_is_nearer_to_its_target(progress, count):
    chosen = pipeline.choose_frames(progress, count)
    targets = np.linspace(0, 1, count)
    nearest = np.abs(progress[None] - targets[:, None]).min(1)
    np.testing.assert_allclose(np.abs(progress[chosen] - targets), nearest, atol=1e-6)


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(st.integers(2, 40))
def test_as_many_frames_as_stored_are_all_of_them(count):
    progress = np.linspace(0, 1, count, dtype=np.float32)
    np.testing.assert_array_equal(pipeline.choose_frames(progress, count), np.arange(count))


def test_a_single_frame_is_the_finished_one():
    assert pipeline.choose_frames(np.array([0, 0.5, 1]), 1).tolist() == [2]


def test_jitter_reaches_frames_that_evaluation_never_shows():
    progress = np.linspace(0, 1, 41)
    rng = np.random.default_rng(0)
    seen = {n for _ in range(99) for n in pipeline.choose_frames(progress, 5, rng)}
    assert len(seen) == 33  # all but those nearer to an end than half a distance
    assert len(set(pipeline.choose_frames(progress, 5))) == 5


@pytest.fixture(scope="module")
def source(painted_dir) -> pipeline.DataSource:
    return pipeline.DataSource(painted_dir, "train")


def _examples(source: pipeline.DataSource, **changes) -> pipeline.Examples:
    fields = {
        "frames": 4,
        "height": 32,
        "width": 32,
        "text_conditioner": TokenConditioner(Tokenizer.train(source.captions()), 12),
        "media": tuple(media.MEDIA),
        "variant_probability": 0.5,
    }
    return pipeline.Examples(**fields | changes)


def _training(source: pipeline.DataSource, **changes):
    options = {"batch_size": 4, "seed": 0} | changes
    return pipeline.training_batches(source, _examples(source), **options)


def _equal(a: pipeline.Batch, b: pipeline.Batch) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_batch_has_the_promised_shapes_types_and_meaning(source):
    batch = _training(source)[0]
    expected = {
        "frames_BTHWC": ((4, 4, 32, 32, 3), np.uint8),
        "progress_BT": ((4, 4), np.float32),
        "medium_BM": ((4, len(media.MEDIA)), np.float32),
        "text_BL": ((4, 12), np.int32),
        "reference_BHWC": ((4, 32, 32, 3), np.uint8),
        "other_look_B": ((4,), np.bool_),
        "segments_BHW": ((4, 32, 32), np.uint8),
        "index_B": ((4,), np.int32),
    }
    assert {name: (value.shape, value.dtype) for name, value in batch.items()} == expected
    np.testing.assert_array_equal(batch["medium_BM"].sum(1), 1)
    np.testing.assert_array_equal(batch["progress_BT"][:, [0, -1]], [[0, 1]] * 4)
    for row, index in enumerate(batch["index_B"]):
        record = source.record(index)
        name = list(media.MEDIA)[batch["medium_BM"][row].argmax()]
        assert name == record.medium
        last = pictures.decode(record.frames[-1])
        np.testing.assert_array_equal(batch["frames_BTHWC"][row, -1], last)
        np.testing.assert_array_equal(batch["segments_BHW"][row], record.segments)


def test_batch_k_is_the_same_from_any_start_and_any_threads(source):
    batches = _training(source)
    for start, threads in ((0, 1), (0, 4), (3, 2)):
        iterator = pipeline.iterate(batches, start, threads=threads)
        for k in range(start, 6):
            assert _equal(next(iterator), batches[k])


def test_batch_k_is_the_same_for_any_number_of_processes(source):
    whole = _training(source)
    for count in (2, 4):
        parts = [_training(source, process_index=i, process_count=count) for i in range(count)]
        for k in (0, 5, 1000):
            rows = [part[k] for part in parts]
            joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
            assert _equal(joined, whole[k])


def test_another_process_that_opens_the_data_gets_the_same_batch(source, painted_dir):
    again = pipeline.DataSource(painted_dir, "train")
    assert _equal(_training(again)[7], _training(source)[7])


def test_seeds_and_epochs_differ_and_each_epoch_shows_every_process_once(source):
    batches = _training(source)
    epochs = [
        np.concatenate([batches[k]["index_B"] for k in (2 * epoch, 2 * epoch + 1)])
        for epoch in range(4)
    ]
    assert len(source) == 8
    assert all(sorted(epoch) == list(range(8)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert not _equal(_training(source, seed=1)[0], batches[0])


def test_only_the_chosen_frames_are_decoded(source, monkeypatch):
    decoded = []
    decode = pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda data: decoded.append(data) or decode(data))
    record = source.record(0)
    assert len(record.frames) == 6
    _examples(source, frames=3).of(record, 0, None)
    assert len(decoded) == 3


def test_reference_is_the_finished_picture_or_a_variant(source):
    record = source.record(0)
    looks = [record.reference, *(variant.image for variant in record.variants)]
    decoded = [pictures.decode(look).tobytes() for look in looks]
    rng = np.random.default_rng(0)

    def references(probability):
        examples = _examples(source, variant_probability=probability)
        return {examples.of(record, 0, rng)["reference_BHWC"].tobytes() for _ in range(40)}

    assert references(0.0) == {decoded[0]}
    assert references(1.0) == set(decoded[1:])
    assert references(0.5) == set(decoded)
    row = _examples(source, variant_probability=1.0).of(record, 0, None)
    assert row["reference_BHWC"].tobytes() == decoded[0]


def test_a_variant_in_another_look_is_told_from_photo_and_finished_picture(source):
    record = source.record(0)
    assert [variant.kind for variant in record.variants] == ["photo", "line_art"]
    photo, line_art = (pictures.decode(variant.image).tobytes() for variant in record.variants)
    examples = _examples(source, variant_probability=0.7)
    rng = np.random.default_rng(0)
    rows = [examples.of(record, 0, rng) for _ in range(40)]
    told = {(row["reference_BHWC"].tobytes(), bool(row["other_look_B"])) for row in rows}
    finished = pictures.decode(record.reference).tobytes()
    assert told == {(finished, False), (photo, False), (line_art, True)}
    assert not examples.of(record, 0, None)["other_look_B"]


def test_other_shapes_are_cropped_not_stretched(source):
    row = _examples(source, height=16, width=8).of(source.record(0), 0, None)
    whole = pictures.decode(source.record(0).reference)
    assert row["frames_BTHWC"].shape == (4, 16, 8, 3)
    assert row["segments_BHW"].shape == (16, 8)
    np.testing.assert_array_equal(row["reference_BHWC"], pictures.resize(whole[:, 8:24], 16, 8))


def test_no_stored_segments_are_all_unlabelled(source):
    bare = dataclasses.replace(source.record(0), segments=np.zeros((0, 0), np.uint8))
    segments = _examples(source).of(bare, 0, None)["segments_BHW"]
    np.testing.assert_array_equal(segments, np.zeros((32, 32), np.uint8))


def test_evaluation_shows_every_process_once_and_masks_the_rest(source):
    batches = pipeline.evaluation_batches(source, _examples(source), batch_size=3)
    shown = list(pipeline.iterate(batches))
    mask = np.concatenate([batch["_mask"] for batch in shown])
    index = np.concatenate([batch["index_B"] for batch in shown])
    assert [len(batch["_mask"]) for batch in shown] == [3, 3, 3]
    assert index[mask].tolist() == list(range(8))
    assert (~mask).sum() == 1


def test_evaluation_is_shared_by_processes(source):
    parts = [
        pipeline.evaluation_batches(
            source, _examples(source), batch_size=6, process_index=i, process_count=2
        )
        for i in range(2)
    ]
    index = np.concatenate([part[k]["index_B"] for k in range(2) for part in parts])
    np.testing.assert_array_equal(index, [*range(8), 7, 7, 7, 7])


def test_uneven_share_and_impossible_sizes_are_user_errors(source):
    with pytest.raises(UserError, match="shared evenly"):
        _training(source, process_count=3)
    with pytest.raises(UserError, match="seed is -1"):
        _training(source, seed=-1)
    with pytest.raises(UserError, match="frames must be at least 1"):
        _examples(source, frames=0)
    with pytest.raises(UserError, match="variant_probability"):
        _examples(source, variant_probability=1.5)


def test_data_set_is_found_by_what_prepare_was_given_or_by_name(painted_dir, source):
    for data_dir, dataset in (
        (source.path, ""),
        (painted_dir, "painted_images"),
        (painted_dir, "painted_images/default"),
    ):
        assert len(pipeline.DataSource(data_dir, "train", dataset)) == 8


def test_missing_and_ambiguous_data_sets_are_user_errors(painted_dir, source, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        pipeline.DataSource(tmp_path / "none", "train")
    with pytest.raises(UserError, match="holds no data set"):
        pipeline.DataSource(tmp_path, "train")
    with pytest.raises(UserError, match="unknown split"):
        pipeline.DataSource(painted_dir, "training")
    for name in ("a", "b"):
        shutil.copytree(source.path, tmp_path / "two" / "painted_images" / name / "1.0.0")
    with pytest.raises(UserError, match="several data sets"):
        pipeline.DataSource(tmp_path / "two", "train")


@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_damaged_data_set_is_a_user_error(source, tmp_path, keep):
    copy = shutil.copytree(source.path, tmp_path / "copy")
    [file] = copy.glob("*train*")
    data = file.read_bytes()
    file.write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])

    def read_all():
        opened = pipeline.DataSource(copy, "train")
        return [opened.record(index) for index in range(len(opened))]

    with pytest.raises(UserError, match="copy"):
        read_all()


@pytest.mark.parametrize("change", ["left out", "without names"])
def test_records_without_a_medium_are_no_painting_processes(source, tmp_path, change):
    copy = shutil.copytree(source.path, tmp_path / "copy")
    declared = json.loads((copy / "features.json").read_text())
    features = declared["featuresDict"]["features"]
    if change == "left out":
        del features["medium"]
    else:
        features["medium"] = features["caption"]
    (copy / "features.json").write_text(json.dumps(declared))
    with pytest.raises(UserError, match="copy is no data set of painting processes"):
        pipeline.DataSource(copy, "train")


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
def test_deep_descriptions_are_user_errors(source, tmp_path, name):
    copy = shutil.copytree(source.path, tmp_path / "copy")
    (copy / name).write_text('{"a": ' * 100_000 + "1" + "}" * 100_000)
    with pytest.raises(UserError, match="copy is damaged"):
        pipeline.DataSource(copy, "train")


def test_damaged_description_is_a_user_error(source, tmp_path):
    copy = shutil.copytree(source.path, tmp_path / "copy")
    (copy / "dataset_info.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        pipeline.DataSource(copy, "train")

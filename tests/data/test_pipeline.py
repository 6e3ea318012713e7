import dataclasses
import json
import shutil

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from etils import epath

from painting_jax import media
from painting_jax.data import building, depth, pictures, pipeline, splits
from painting_jax.data import index as index_lib
from painting_jax.data.builders import recorded_processes
from painting_jax.errors import UserError
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer
from tests.synthetic import recording


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


def _even(stored: int, count: int, seed: int) -> np.ndarray:
    progress = np.linspace(0, 1, stored, dtype=np.float32)
    return pipeline.choose_frames(progress, count, np.random.default_rng(seed), even=True)


@pytest.mark.parametrize(("stored", "count"), [(200, 81), (128, 121), (121, 121), (130, 120)])
def test_even_frames_never_repeat_and_their_steps_differ_by_one_at_most(stored, count):
    for seed in range(200):
        chosen = _even(stored, count, seed)
        steps = np.diff(chosen)
        assert steps.min() >= 1
        assert (chosen[0], chosen[-1]) == (0, stored - 1)
        # The first and the last step take up what the phase leaves.
        assert np.ptp(steps[1:-1]) <= 1


def test_the_phase_of_even_frames_is_uniform():
    """81 of 200: each frame is as likely as any other, but near the ends."""
    draws, spacing = 4000, 199 / 80
    chosen = np.concatenate([_even(200, 81, seed) for seed in range(draws)])
    share_N = np.bincount(chosen, minlength=200)[5:-5] / draws
    deviation = np.sqrt(1 / spacing * (1 - 1 / spacing) / draws)
    assert np.abs(share_N - 1 / spacing).max() < 5 * deviation


def test_uneven_frames_repeat_as_before():
    progress = np.linspace(0, 1, 128)
    chosen = [
        pipeline.choose_frames(progress, 81, np.random.default_rng(seed)) for seed in range(50)
    ]
    assert np.mean([np.mean(np.diff(frames) == 0) for frames in chosen]) > 0.05


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(_progress(), st.integers(2, 40), st.one_of(st.none(), st.integers(0, 99)))
def test_even_frames_repeat_only_if_there_are_too_few(progress, count, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    chosen = pipeline.choose_frames(progress, count, rng, even=True)
    assert chosen.shape == (count,)
    assert (chosen[0], chosen[-1]) == (0, len(progress) - 1)
    assert np.all(np.diff(chosen) >= (1 if len(progress) >= count else 0))


def test_even_frames_of_a_short_recording_are_all_of_it():
    for seed in range(20):
        assert set(_even(10, 81, seed)) == set(range(10))


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
        share = 4 // count
        parts = [_training(source, rows=range(i, i + share)) for i in range(0, 4, share)]
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


def test_parts_of_a_process_begin_and_end_where_they_are_asked_to():
    progress = np.linspace(0, 1, 11)
    chosen = pipeline.choose_frames(progress, 5, part=(0.2, 0.6))
    assert chosen.tolist() == [2, 3, 4, 5, 6]
    jittered = [
        pipeline.choose_frames(progress, 5, np.random.default_rng(seed), part=(0.2, 0.6))
        for seed in range(50)
    ]
    assert {(chosen[0], chosen[-1]) for chosen in jittered} == {(2, 6)}
    assert {n for chosen in jittered for n in chosen} == {2, 3, 4, 5, 6}
    whole = pipeline.choose_frames(progress, 5, np.random.default_rng(3))
    same = pipeline.choose_frames(progress, 5, np.random.default_rng(3), part=(0, 1))
    np.testing.assert_array_equal(whole, same)


def test_parts_are_drawn_with_their_probability_and_half_go_on_from_a_canvas():
    rng = np.random.default_rng(0)
    drawn = [pipeline.choose_part(rng, 0.4) for _ in range(2000)]
    parts = [(part, given) for part, given in drawn if part != (0.0, 1.0)]
    assert abs(len(parts) / 2000 - 0.4) < 0.04
    assert not any(given for part, given in drawn if part == (0.0, 1.0))
    assert abs(np.mean([given for _, given in parts]) - 0.5) < 0.06
    assert all(0 <= start < end <= 1 for (start, end), _ in parts)
    assert abs(np.mean([end == 1 for (_, end), _ in parts]) - 0.5) < 0.06
    assert pipeline.choose_part(None, 1.0) == ((0.0, 1.0), False)


def test_the_canvas_of_a_part_is_its_first_frame(source):
    examples = _examples(source, part_probability=1.0, with_canvas=True)
    rows = [examples.of(source.record(0), 0, np.random.default_rng(seed)) for seed in range(40)]
    assert {bool(row["given_B"]) for row in rows} == {True, False}
    for row in rows:
        np.testing.assert_array_equal(row["canvas_BHWC"], row["frames_BTHWC"][0])
    assert any(row["progress_BT"][0] > 0 for row in rows)
    held_out = examples.of(source.record(0), 0, None)
    assert not held_out["given_B"]
    np.testing.assert_allclose(held_out["progress_BT"][[0, -1]], [0, 1])


def test_rows_tell_what_lies_behind_the_regions_of_the_reference_they_show(source):
    row = _examples(source, with_behind=True).of(source.record(0), 0, None)
    expected = depth.behind(row["reference_BHWC"], row["segments_BHW"])
    np.testing.assert_array_equal(row["behind_BHWC"], expected.picture_HWC)
    np.testing.assert_array_equal(row["behind_segments_BHW"], expected.labels_HW)


def test_no_stored_segments_are_all_unlabelled(source):
    bare = dataclasses.replace(source.record(0), segments=np.zeros((0, 0), np.uint8))
    segments = _examples(source).of(bare, 0, None)["segments_BHW"]
    np.testing.assert_array_equal(segments, np.zeros((32, 32), np.uint8))


def test_impossible_sizes_are_user_errors(source):
    with pytest.raises(UserError, match="batch_size is 0"):
        _training(source, batch_size=0)
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


SHAPES = {
    "landscape": (48, 64),
    "landscape 2": (96, 128),
    "landscape 3": (48, 63),
    "portrait": (64, 48),
    "portrait 2": (80, 60),
    "square": (64, 64),
    "strip": (32, 128),
}
BUCKETS = ((48, 64), (56, 56), (64, 48))


@pytest.fixture(scope="module")
def canvases(tmp_path_factory) -> pipeline.DataSource:
    """Processes of several shapes, all in the training split."""
    root = tmp_path_factory.mktemp("canvases")
    for name, (height, width) in SHAPES.items():
        (root / "in" / name).mkdir(parents=True)
        for number, frame_HWC in enumerate(recording(0, 5, height, width)):
            path = root / "in" / name / f"{number}.png"
            path.write_bytes(pictures.encode(frame_HWC, "png"))
    config = recorded_processes.Config(name="default", source=(str(root / "in"),), medium="oil")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "assign", lambda keys, pairs, stated: dict.fromkeys(keys, "train"))
        building.build(recorded_processes.Builder, config, root / "data")
    return pipeline.DataSource(root / "data", "train")


def _bucketed(source: pipeline.DataSource, **changes):
    options = {"batch_size": 2, "seed": 0} | changes
    return pipeline.training_batches(source, _examples(source, buckets=BUCKETS), **options)


def _shape(batch: pipeline.Batch) -> tuple[int, int]:
    return batch["reference_BHWC"].shape[1:3]


def test_a_batch_holds_one_bucket_chosen_by_aspect(canvases):
    assert len(canvases) == len(SHAPES)
    wanted = {
        **dict.fromkeys(("landscape", "landscape 2", "landscape 3", "strip"), (48, 64)),
        **dict.fromkeys(("portrait", "portrait 2"), (64, 48)),
        "square": (56, 56),
    }
    batches, ids = _bucketed(canvases), canvases.ids()
    seen = set()
    for k in range(3 * len(SHAPES)):
        batch = batches[k]
        height, width = _shape(batch)
        seen.add((height, width))
        assert {wanted[ids[index]] for index in batch["index_B"]} == {(height, width)}
        assert batch["frames_BTHWC"].shape == (2, 4, height, width, 3)
        assert batch["segments_BHW"].shape == batch["judged_BHW"].shape == (2, height, width)
    assert seen == set(BUCKETS)


def test_every_process_is_seen_as_often_as_any_other(canvases):
    batches, count = _bucketed(canvases), len(canvases)
    for period in range(3):
        shown = [batches[k]["index_B"] for k in range(period * count, (period + 1) * count)]
        np.testing.assert_array_equal(np.bincount(np.concatenate(shown)), [2] * count)
    ones = _bucketed(canvases, batch_size=1)
    epochs = [[int(ones[e * count + k]["index_B"][0]) for k in range(count)] for e in range(5)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_bucketed_batch_k_is_a_function_of_seed_and_k(canvases):
    batches = _bucketed(canvases, batch_size=4)
    for start, threads in ((0, 1), (0, 4), (5, 3)):
        iterator = pipeline.iterate(batches, start, threads=threads)
        for k in range(start, 9):
            assert _equal(next(iterator), batches[k])
    assert any(
        not _equal(batches[k], _bucketed(canvases, batch_size=4, seed=1)[k]) for k in range(4)
    )
    far = 10**12 + 7
    assert _equal(batches[far], _bucketed(canvases, batch_size=4)[far])


def test_bucketed_batch_k_is_the_same_for_any_number_of_processes(canvases):
    whole = _bucketed(canvases, batch_size=4)
    for count in (2, 4):
        parts = [
            _bucketed(canvases, batch_size=4, rows=range(i, i + 4 // count))
            for i in range(0, 4, 4 // count)
        ]
        for k in (0, 1, 2, 3, 1000):
            rows = [part[k] for part in parts]
            assert len({_shape(row) for row in rows}) == 1, "all have the bucket of step k"
            joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
            assert _equal(joined, whole[k])


def test_what_fits_no_bucket_is_padded_and_not_judged_there(canvases):
    examples = _examples(canvases, buckets=BUCKETS)
    rows = {name: index for index, name in enumerate(canvases.ids())}
    strip = examples.of(canvases.record(rows["strip"]), 0, None)
    # 32 x 128 pixels become 16 x 64 of 48 x 64.
    expected = np.zeros((48, 64), np.uint8)
    expected[16:32] = 1
    np.testing.assert_array_equal(strip["judged_BHW"], expected)
    whole_HWC = pictures.decode(canvases.record(rows["strip"]).reference)
    placed_HWC = strip["reference_BHWC"]
    np.testing.assert_array_equal(placed_HWC[16:32], pictures.resize(whole_HWC, 16, 64))
    np.testing.assert_array_equal(placed_HWC[:16], np.repeat(placed_HWC[16:17], 16, 0))
    np.testing.assert_array_equal(strip["frames_BTHWC"][-1], placed_HWC)
    fitting = examples.of(canvases.record(rows["landscape 3"]), 0, None)
    assert fitting["judged_BHW"].all()


def test_without_buckets_there_is_one_shape_and_nothing_is_left_unjudged(canvases):
    batches = _training(canvases, batch_size=7)
    assert _shape(batches[0]) == (32, 32)
    assert "judged_BHW" not in batches[0]


def test_an_index_that_fits_other_records_is_a_user_error(canvases, tmp_path):
    copy = shutil.copytree(canvases.path, tmp_path / "copy")
    rows = [dataclasses.replace(row, height=64, width=48) for row in canvases.rows]
    index_lib.write(epath.Path(copy), {"train": rows})
    with pytest.raises(UserError, match=r"rows\.json does not fit the records"):
        _ = [_bucketed(pipeline.DataSource(copy, "train"))[k] for k in range(7)]

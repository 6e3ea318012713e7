"""Records of encoded processes, and rows made of them beside rows of the pictures."""

import dataclasses
import types

import numpy as np
import pytest

from painting_jax.data import cached_latents, packed_arrays, pipeline
from painting_jax.data.buckets import Shapes
from painting_jax.data.cached_latents import CachedExamples, CachedPicture, CachedProcess
from painting_jax.data.pipeline import DataSource, Examples
from painting_jax.diffusion.reverse_painting import CONDITIONS, LATENTS
from painting_jax.errors import UserError
from painting_jax.media import MEDIA


def picture(seed: int, *, latents: bool) -> CachedPicture:
    rng = np.random.default_rng(seed)
    return CachedPicture(
        bool(seed),
        {"image_BTHWC": rng.normal(size=(2, 4, 6, 3)).astype(np.float32)},
        rng.normal(size=(2, 4, 6, 2)).astype(np.float32) if latents else None,
    )


PROCESS = CachedProcess(
    id="cat/oil",
    medium="oil",
    caption="a cat",
    source="cat.mp4",
    licence="CC0",
    frames=7,
    picture_HW=(64, 96),
    pictures=(picture(0, latents=True), picture(1, latents=False)),
    text_LD=np.ones((5, 4), np.float32),
    uncaptioned_LD=np.full((2, 4), 2, np.float32),
)


def arrays(process: CachedProcess) -> list[np.ndarray]:
    found = [process.text_LD, process.uncaptioned_LD]
    for one in process.pictures:
        found += [
            one.conditions["image_BTHWC"],
            *filter(lambda x: x is not None, [one.latents_THWC]),
        ]
    return found


@pytest.mark.parametrize("dtype", packed_arrays.DTYPES)
def test_a_record_is_read_as_it_was_written(dtype):
    read = cached_latents.from_example(cached_latents.serialize(PROCESS, dtype), list(MEDIA))
    for field in ("id", "medium", "caption", "source", "licence", "frames", "picture_HW"):
        assert getattr(read, field) == getattr(PROCESS, field)
    assert [one.other_look for one in read.pictures] == [False, True]
    assert read.pictures[1].latents_THWC is None
    for mine, theirs in zip(arrays(read), arrays(PROCESS), strict=True):
        assert mine.dtype == packed_arrays.DTYPES[dtype]
        np.testing.assert_array_equal(mine, theirs.astype(mine.dtype))


def test_a_damaged_record_is_no_record():
    stored = cached_latents.serialize(PROCESS, "float32")
    for content in (b"", stored[:-1], stored[: len(stored) // 2], b"\xff" * 100):
        with pytest.raises(ValueError, match=r"no encoded process|no packed arrays"):
            cached_latents.from_example(content, list(MEDIA))
    nothing = dataclasses.replace(PROCESS, pictures=(picture(0, latents=False),))
    with pytest.raises(ValueError, match="no latents"):
        cached_latents.from_example(cached_latents.serialize(nothing, "float32"), list(MEDIA))


def test_a_row_has_the_latents_and_the_padded_text_of_what_it_shows():
    examples = CachedExamples(7, Shapes(32, 48), 8)
    row = examples.of(PROCESS, 3, None)
    assert row.keys() == {LATENTS, CONDITIONS, "index_B"}
    assert row["index_B"] == 3
    assert examples.sides(row) == examples.sides(pipeline.stack([row, row])) == (32, 48)
    text_LD = row[CONDITIONS]["text_BLD"]
    assert text_LD.shape == (512, 4)
    np.testing.assert_array_equal(text_LD[:5], PROCESS.text_LD)
    assert not text_LD[5:].any()
    always = dataclasses.replace(examples, variant_probability=1.0, caption_probability=0.0)
    varied = always.of(PROCESS, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(varied[LATENTS], PROCESS.pictures[0].latents_THWC)
    for name, array in PROCESS.pictures[1].conditions.items():
        np.testing.assert_array_equal(varied[CONDITIONS][name], array)
    np.testing.assert_array_equal(varied[CONDITIONS]["text_BLD"][:2], PROCESS.uncaptioned_LD)


def test_text_of_less_precision_is_padded_as_it_is():
    stored = cached_latents.serialize(PROCESS, "bfloat16")
    row = CachedExamples(7, Shapes(32, 48), 8).of(
        cached_latents.from_example(stored, list(MEDIA)), 0, None
    )
    assert {array.dtype.name for array in row[CONDITIONS].values()} == {"bfloat16"}


def test_a_padded_picture_is_judged_where_it_lies():
    shapes = Shapes(32, 48, ((32, 48), (48, 32)))
    strip = dataclasses.replace(PROCESS, picture_HW=(64, 192))
    judged_HW = CachedExamples(7, shapes, 8).of(strip, 0, None)["judged_BHW"]
    assert judged_HW.shape == (32, 48)
    np.testing.assert_array_equal(np.flatnonzero(judged_HW.any(1)), np.arange(8, 24))


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("frames", [1, 4])
def test_variants_and_captions_are_drawn_as_with_pictures(painted_dir, even, frames):
    """From the same generator, after the same numbers for the choice of frames."""
    source = DataSource(painted_dir, "train")
    chances = {"variant_probability": 0.6, "caption_probability": 0.4, "even_frames": even}
    conditioner = types.SimpleNamespace(encode=lambda caption, mixture: {"text": caption})
    pictured = Examples(frames, 32, 32, conditioner, list(MEDIA), **chances)
    cached = CachedExamples(frames, Shapes(32, 32), 8, **chances)
    drawn = set()
    for seed in range(30):
        record = source.record(seed % len(source))
        rng, other_rng = np.random.default_rng(seed), np.random.default_rng(seed)
        row = pictured.of(record, 0, rng)
        pictures = [picture(0, latents=True)]
        pictures += [
            CachedPicture(one.other_look, {"kind": np.array(n)}, None)
            for n, one in enumerate(record.variants)
        ]
        encoded = dataclasses.replace(PROCESS, pictures=pictures)
        other = cached.of(encoded, 0, other_rng)
        assert rng.bit_generator.state == other_rng.bit_generator.state
        variant = other[CONDITIONS].get("kind")
        shown = record.reference if variant is None else record.variants[variant].image
        canvas = pictured.canvas(record)
        np.testing.assert_array_equal(row["reference_BHWC"], canvas.picture(shown))
        captioned = bool((other[CONDITIONS]["text_BLD"] == 1).any())
        assert row["text"] == (record.caption if captioned else "")
        drawn.add((variant is None, captioned))
    assert len(drawn) == 4, "each of them is drawn"


def test_probabilities_are_checked():
    with pytest.raises(UserError, match=r"variant_probability is 1.5, not in 0..1"):
        CachedExamples(4, Shapes(32, 32), 8, variant_probability=1.5)

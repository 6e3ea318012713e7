import dataclasses
import itertools

import numpy as np
import pytest

from painting_jax import media
from painting_jax.data import painter, painting, photos, pictures
from painting_jax.data.painter.manner import DIRECTIONS, SCALES
from tests.synthetic import scene


@pytest.fixture
def task(tmp_path) -> painting.PhotoTask:
    (tmp_path / "disc.png").write_bytes(pictures.encode(scene(0, 60, 90), "png"))
    return painting.PhotoTask(
        photo=photos.Photo(str(tmp_path / "disc.png"), "disc", "a disc", "CC0"),
        key="0123",
        media=("oil", "charcoal"),
        height=32,
        width=32,
        frames=5,
        seed=0,
        variant=0,
    )


def test_every_medium_paints_the_same_crop_to_the_end(task):
    records = painting.paint_photo(task)
    assert [record.medium for record in records] == ["oil", "charcoal"]
    assert [record.id for record in records] == ["disc/oil/0", "disc/charcoal/0"]
    for record in records:
        assert len(record.frames) == 5
        assert record.reference == record.frames[-1]
        assert record.segments.shape == (32, 32)
        assert record.caption.startswith("a disc, ")
        assert record.medium not in record.caption
        assert [variant.kind for variant in record.variants] == ["photo", "line_art"]
    assert records[0].variants == records[1].variants


def test_painting_is_a_pure_function_of_the_task(task):
    for a, b in zip(painting.paint_photo(task), painting.paint_photo(task), strict=True):
        assert a.frames == b.frames
        assert a.caption == b.caption


def test_variants_and_seeds_show_other_crops(task):
    tasks = [task, dataclasses.replace(task, variant=1), dataclasses.replace(task, seed=1)]
    photos_shown = {painting.paint_photo(each)[0].variants[0].image for each in tasks}
    assert len(photos_shown) == 3


def test_held_out_photos_are_kept_in_a_whole_multiple_of_the_frames_size(task, tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(pictures.encode(scene(0, 300, 210), "png"))
    photo = dataclasses.replace(task.photo, path=str(path))
    [record, _] = painting.paint_photo(dataclasses.replace(task, photo=photo, variant=None))
    assert pictures.decode(record.variants[0].image).shape == (192, 192, 3)
    assert pictures.decode(record.frames[0]).shape == (32, 32, 3)


def test_held_out_photos_are_shown_as_they_are(task):
    [record, _] = painting.paint_photo(dataclasses.replace(task, variant=None))
    expected = pictures.fit(scene(0, 60, 90), 32, 32)
    shown = pictures.decode(record.variants[0].image).astype(int)
    assert np.abs(shown - expected).mean() < 3


def test_line_art_is_that_of_the_photo(task):
    [record, _] = painting.paint_photo(dataclasses.replace(task, variant=None))
    photo, line_art = (pictures.decode(variant.image) for variant in record.variants)
    assert np.abs(line_art.astype(int) - painter.line_art(photo)).mean() < 12


def test_training_processes_meet_every_manner_of_every_medium(task):
    """As many tasks as the demo's training photos give, without painting them."""
    seen = {
        (medium, getattr(manner, name))
        for medium in media.MEDIA
        for key, variant in itertools.product("0123456789", range(8))
        for manner in [painting.manner(dataclasses.replace(task, key=key, variant=variant), medium)]
        for name in ("ground", "scale", "direction")
    }
    for medium, entry in media.MEDIA.items():
        for value in (*entry.grounds, *SCALES, *DIRECTIONS):
            assert (medium, value) in seen


@pytest.mark.parametrize("medium", media.MEDIA)
def test_no_direction_is_rare(task, medium):
    manners = [
        painting.manner(dataclasses.replace(task, key=key, variant=variant), medium)
        for key, variant in itertools.product("0123456789", range(8))
    ]
    counts = [sum(manner.direction == each for manner in manners) for each in DIRECTIONS]
    assert counts == [20] * 4
    usual = painter.Manner.default(medium)
    alike = [(manner.ground, manner.scale) == (usual.ground, usual.scale) for manner in manners]
    assert np.mean(alike) > 0.4


def test_held_out_tones_are_painted_under_their_names(task):
    held_out = dataclasses.replace(task, variant=None, media=("oil",))
    [plain] = painting.paint_photo(held_out)
    [bright] = painting.paint_photo(dataclasses.replace(held_out, tone="bright"))
    assert (plain.id, bright.id) == ("disc/oil/0", "disc/oil/bright")
    assert plain.source == bright.source
    shown = [pictures.decode(record.variants[0].image).mean() for record in (plain, bright)]
    assert shown[1] > 190 > shown[0]
    assert painting.tone_of(bright.id) == "bright"
    assert painting.tone_of(plain.id) is None

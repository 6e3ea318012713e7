import os

from painting_jax import media
from painting_jax.data import building, photos, pictures, pipeline, tones
from tests.synthetic import scene
from tfds_builders.painted_images import painted_images_dataset_builder as builder


def test_packaged_photos_are_painted_when_no_source_is_given(tmp_path):
    config = builder.Config(
        name="default", media=("pencil",), height=16, width=16, frames=2, variants=1
    )
    summary = building.build(builder.Builder, config, tmp_path)
    held_out = pipeline.DataSource(tmp_path, "test")
    assert {name: counts["pencil"] for name, counts in summary.counts.items()} == {
        "train": 9,
        # Held-out photos come as they are, and in each tone.
        "validation": 2 * (1 + len(tones.HELD_OUT)),
        "test": 2 * (1 + len(tones.HELD_OUT)),
    }
    subjects = {photo.subject for photo in photos.packaged()}
    assert held_out.record(0).caption.split(", ")[0] in subjects


def test_a_text_beside_a_photo_reaches_the_caption_and_names_tell_folders_apart(tmp_path):
    for seed, name in enumerate(("a", "b")):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "cat.png").write_bytes(pictures.encode(scene(seed), "png"))
    (tmp_path / "in" / "a" / "cat.txt").write_text("a grey cat")
    config = builder.Config(
        name="pets",
        source=str(tmp_path / "in"),
        media=("oil",),
        height=16,
        width=24,
        frames=2,
        variants=1,
    )
    building.build(builder.Builder, config, tmp_path / "data")
    source = pipeline.DataSource(tmp_path / "data", "train", "painted_images/pets")
    captions = dict(zip(source.ids(), source.captions(), strict=True))
    assert set(captions) == {"a/cat.png/oil/0", "b/cat.png/oil/0"}
    assert captions["a/cat.png/oil/0"].startswith("a grey cat, ")
    assert captions["b/cat.png/oil/0"].startswith("a picture, ")
    assert pictures.decode(source.record(0).reference).shape == (16, 24, 3)


def test_names_that_are_no_utf8_are_prepared_and_skipped_under_escaped_ones(tmp_path):
    folder = tmp_path / os.fsdecode(b"\xfe")
    folder.mkdir()
    for name, content in ((b"\xff.png", pictures.encode(scene(0), "png")), (b"\xfd.png", b"none")):
        (folder / os.fsdecode(name)).write_bytes(content)
    config = builder.Config(
        name="odd", source=str(folder), media=("oil",), height=16, width=16, frames=2, variants=1
    )
    for built in (True, False):
        summary = building.build(builder.Builder, config, tmp_path / "data")
        assert summary.built is built
        assert [skip.name for skip in summary.skipped] == [r"\udcfd.png"]
        assert rf"{tmp_path}/\udcfe/\udcfd.png is not a picture" in summary.skipped[0].reason
    source = pipeline.DataSource(tmp_path / "data", "train", "painted_images/odd")
    assert source.ids() == [r"\udcff.png/oil/0"]


def test_every_medium_of_the_registry_is_painted_by_default():
    assert builder.Config(name="default").media == tuple(media.MEDIA)

"""A film of a desk becomes a data set, and a variant that a network made reaches the model."""

import numpy as np

from painting_jax.data import building, pictures, pipeline, video
from painting_jax.data.builders import recorded_processes
from painting_jax.data.enrichment import choice
from painting_jax.training import loop
from tests.data.curation.films import film
from tests.data.enrichment import tiny_networks
from tests.training import runs
from tests.training.published_run import one_device

_COLOUR = np.array([204, 51, 102])
_LEAST = {
    "steps": 2,
    "data.batch_size": 2,
    "data.variant_probability": 1.0,
    "model.layers": 1,
    "model.pixel_layers": 0,
    "objective.structure": 0.0,
    "objective.augment": 0.0,
    "log.samples": 1,
    "log.every": 1,
    "sampling.steps": 1,
}


def test_a_variant_of_a_cleaned_film_is_what_training_starts_from(tiny, tmp_path, monkeypatch):
    shown = film("oil", frames=24, height=144, width=192)
    video.write_mp4(tmp_path / "film.mp4", shown.frames_THWC, fps=12)
    editor = tiny_networks.write_editor(tmp_path / "editor", _COLOUR / 255)
    config = recorded_processes.Config(
        name="default",
        source=(str(tmp_path / "film.mp4"),),
        medium="oil",
        size=192,
        max_frames=8,
        clean=True,
        min_quality=0.0,
        enrichment=choice.chosen(variants=str(editor), looks=["photo"], steps=2),
    )
    said = []
    summary = building.build(recorded_processes.Builder, config, tmp_path / "data", say=said.append)
    assert summary.counts == {"train": {"oil": 1}}
    assert any(line.startswith("with its networks, prepare takes ") for line in said)

    [record] = [pipeline.DataSource(tmp_path / "data", "train").record(0)]
    [variant] = record.variants
    assert variant.kind == "photo"
    variant_HWC = pictures.decode(variant.image)
    assert variant_HWC.shape[:2] == record.frame_HW
    np.testing.assert_allclose(variant_HWC.mean((0, 1)), _COLOUR, atol=1)

    tiny.update_from_flattened_dict(_LEAST | {"data.data_dir": str(tmp_path / "data")})
    batches, global_batch = [], loop.global_batch

    def seen(batch, *arguments):
        on_device = global_batch(batch, *arguments)
        batches.append({name: np.asarray(on_device[name]) for name in _SEEN})
        return on_device

    monkeypatch.setattr(loop, "global_batch", seen)
    with one_device():
        loop.train(tiny, tmp_path / "run")
    assert len(batches) == 2
    height, width = tiny.data.height, tiny.data.width
    finished_HWC = pictures.fit(pictures.decode(record.frames[-1]), height, width)
    for batch in batches:
        for row, last_HWC in zip(
            batch["reference_BHWC"], batch["frames_BTHWC"][:, -1], strict=True
        ):
            # The variant bit for bit, once it has the size of the model's pictures.
            np.testing.assert_array_equal(row, pictures.fit(variant_HWC, height, width))
            assert np.abs(row - _COLOUR).max() <= 3
            # What is to be painted from it is the recording.
            np.testing.assert_array_equal(last_HWC, finished_HWC)
        # A photo is painted in its own colours.
        assert not batch["other_look_B"].any()
    assert runs.saved_steps(tmp_path / "run") == [2]
    assert all(np.isfinite(loss) for loss in runs.losses(tmp_path / "run").values())


_SEEN = ("reference_BHWC", "frames_BTHWC", "other_look_B")

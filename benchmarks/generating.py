"""Measures generation with a randomly initialised model of an experiment."""

import statistics

import numpy as np
from ml_collections import ConfigDict

from benchmarks.timing import Row, seconds
from painting_jax.data import pipeline
from painting_jax.generation.run import Run
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.from_scratch import FromScratch


def measure(
    config: ConfigDict, batch: pipeline.Batch, examples: pipeline.Examples, runs: int
) -> list[Row]:
    """Seconds per picture, for a single picture and for the whole batch, and compilation time.

    Args:
      config: Config of the experiment.
      batch: Batch of the experiment's dataset.
      examples: Shape and conditions of the training examples.
      runs: Number of runs of each.
    """
    task = FromScratch(config)
    model = Run(task, task.init_params(), {}, examples.text_conditioner, 0, make_mesh({"data": -1}))
    sampling = {
        "frames": config.data.frames,
        "steps": config.sampling.steps,
        "guidance": config.sampling.guidance,
        "seed": 0,
    }
    note = f"{sampling['frames']} frames, {sampling['steps']} sampling steps, no files"
    rows = []
    for count in (1, len(batch["medium_BM"])):
        given = {name: np.asarray(values[:count]) for name, values in batch.items()}

        def generate(given=given) -> None:
            model.generate(given, **sampling)

        first = seconds(generate)
        values = [seconds(generate) / count for _ in range(runs)]
        what = "generating one picture" if count == 1 else f"generating, batch of {count}"
        compiling = first - count * statistics.median(values)
        rows.append(
            Row(what, "s/picture", values, f"{note}; compiling took {compiling:.1f} s before")
        )
    return rows

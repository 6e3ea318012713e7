"""Measures training steps of an experiment, including the input pipeline."""

import jax
from ml_collections import ConfigDict

from benchmarks.timing import Row, seconds
from painting_jax.data import pipeline
from painting_jax.tasks.from_scratch import FromScratch
from painting_jax.training import state as state_lib
from painting_jax.training.step import TrainMetrics, make_train_step


def measure(
    config: ConfigDict,
    source: pipeline.DataSource,
    examples: pipeline.Examples,
    steps: int,
    runs: int,
) -> list[Row]:
    """Steps and tokens per second, and the duration of the first step, which compiles.

    Args:
      config: Config of the experiment.
      source: Dataset to train on.
      examples: Shape and conditions of the training examples.
      steps: Number of training steps per run.
      runs: Number of runs.
    """
    data = config.data
    batches = pipeline.iterate(
        pipeline.training_batches(source, examples, batch_size=data.batch_size, seed=config.seed)
    )
    task = FromScratch(config)
    step = jax.jit(make_train_step(task), donate_argnums=(0, 1))
    held = [state_lib.init_state(task), TrainMetrics.empty()]

    def train(count: int) -> None:
        for _ in range(count):
            batch = next(batches)
            del batch["index_B"]
            *held[:], finite = step(*held, batch, {})
        finite.block_until_ready()

    first = seconds(lambda: train(1))
    rates = [steps / seconds(lambda: train(steps)) for _ in range(runs)]
    video, model = (data.frames, data.height, data.width), task.model
    work = model.family.work(model.config, model.codec, video, data.text_length)
    tokens = data.batch_size * work.tokens
    parameters = sum(leaf.size for leaf in jax.tree.leaves(held[0].params))
    note = f"{parameters / 1e6:.2f} M parameters, batch {data.batch_size}, {steps} steps a run"
    return [
        Row("training", "steps/s", rates, note),
        Row("training", "tokens/s", [rate * tokens for rate in rates], f"{tokens} tokens a step"),
        Row("first training step", "s", [first], "compiles"),
    ]

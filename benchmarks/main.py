"""Measures the painter, the input pipeline, training and generation, and prints a markdown table.

  python -m benchmarks.main

Each figure is the median of several runs, with minimum and maximum. A small dataset is prepared in
a temporary folder first. The whole takes a few minutes. Progress is printed on standard error, so
that the table can be redirected into a file.
"""

import pathlib
import tempfile

from absl import flags, logging

from benchmarks import decoding, generating, painting, table, training
from benchmarks.timing import Row
from configs import demo
from painting_jax import cli
from painting_jax.data import building, pipeline
from painting_jax.data.builders import painted_images
from painting_jax.errors import UserError
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer

_RUNS = flags.DEFINE_integer("runs", 5, "Runs of each measurement.")


def main() -> None:
    """Measures everything, then prints the table."""
    if _RUNS.value < 1:
        raise UserError(f"--runs={_RUNS.value}: it must be at least 1")
    # TFDS warns about every config that is not in its own list.
    logging.set_verbosity(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        table.show(lambda: _measured(pathlib.Path(folder), _RUNS.value))


def _measured(folder: pathlib.Path, runs: int) -> list[Row]:
    config = demo.get_config()
    data = config.data
    table.tell("preparing a small data set")
    _prepare(folder)
    source = pipeline.DataSource(folder, "train")
    examples = pipeline.Examples(
        frames=data.frames,
        height=data.height,
        width=data.width,
        text_conditioner=TokenConditioner(
            Tokenizer.train(source.captions(), size=config.model.vocabulary), data.text_length
        ),
        media=config.model.media,
        variant_probability=data.variant_probability,
    )
    table.tell("the painter")
    rows = [painting.measure(64, 9, runs), painting.measure(256, 17, min(runs, 3))]
    table.tell("the input pipeline")
    rows += decoding.measure(source, examples, data.batch_size, batches=60, runs=runs)
    table.tell("training")
    rows += training.measure(config, source, examples, steps=4, runs=runs)
    table.tell("generating")
    batch = pipeline.stack(pipeline.spread_rows(source, examples, 8))
    return rows + generating.measure(config, batch, examples, runs)


def _prepare(folder: pathlib.Path) -> None:
    fields = {"height": 64, "width": 64, "frames": 17, "variants": 1}
    building.build(painted_images.Builder, painted_images.Config(name="bench", **fields), folder)


if __name__ == "__main__":
    cli.run(main)

"""Validation during training: the held-out loss and contact sheets."""

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh

from painting_jax.data import pictures, pipeline
from painting_jax.data.contact_sheet import contact_sheet
from painting_jax.data.process import Process
from painting_jax.diffusion.sampling import paint
from painting_jax.errors import UserError
from painting_jax.files import written_beside
from painting_jax.sharding.rules import batch_sharding
from painting_jax.tasks.task import Task
from painting_jax.training.step import make_held_out_loss

# Maximum number of frames per process on a contact sheet, and maximum side of a frame in pixels.
_COLUMNS, _SIDE = 17, 256


def held_out(data_dir: str, dataset: str) -> pipeline.DataSource | None:
    """The validation split; None if the dataset has too few sources for one."""
    try:
        return pipeline.DataSource(data_dir, "validation", dataset)
    except UserError:
        return None


class HeldOutLoss:
    """The training loss of the averaged parameters on held-out processes, nothing dropped.

    It is measured on one batch, spread evenly over the split, always with the same noise. The batch
    is read, and the loss compiled, at the first measurement.
    """

    def __init__(
        self, task: Task, source: pipeline.DataSource, examples: pipeline.Examples, mesh: Mesh
    ):
        self._task, self._source, self._examples, self._mesh = task, source, examples, mesh
        self._batch = None
        self._loss = jax.jit(make_held_out_loss(task))

    def __call__(self, params: dict, frozen: dict) -> float:
        if self._batch is None:
            config = self._task.config
            batch = pipeline.spread(self._source, self._examples, config.data.batch_size)
            del batch["index_B"]
            self._batch = jax.device_put(batch, batch_sharding(self._mesh))
        loss_B = self._loss(params, frozen, self._batch, self._task.config.seed)
        return float(loss_B.mean())


def _described(process: Process) -> str:
    caption = f": {process.caption}" if process.caption else ""
    return f"{process.id}, {process.medium}{caption}"


class ContactSheets:
    """Contact sheets in the folder `sheets`: each recorded process above the model's version of it.

    They show what `generate` would paint with the current parameters. Each process is shown once,
    so a split of few processes has fewer rows than `config.log.samples`.

    Attributes:
      rows: Description of each recorded process: its id, medium and caption.
    """

    def __init__(
        self,
        task: Task,
        source: pipeline.DataSource,
        examples: pipeline.Examples,
        folder: epath.Path,
        mesh: Mesh,
    ):
        config = task.config
        self._task, self._folder, self._mesh = task, folder, mesh
        count = min(config.log.samples, len(source))
        self._batch = pipeline.spread(source, examples, count)
        self._recorded_BTHWC = self._batch.pop("frames_BTHWC")
        self.rows = [_described(source.record(row)) for row in self._batch.pop("index_B")]
        self._batch["seed_B"] = np.full(count, config.seed, np.int32)

    def paint(self, step: int, params: dict, frozen: dict) -> np.ndarray | None:
        """Paints and writes a sheet.

        Returns:
          Its pixels in the first process; None in the others.
        """
        task = self._task
        # All processes paint, since the parameters are sharded over them. Only the first writes.
        networks = task.networks(params, frozen)
        [painted_BTHWC] = paint(
            task.model, frozen, networks, [self._batch], task.sampling(), self._mesh
        )
        if jax.process_index():
            return None
        pairs = zip(self._recorded_BTHWC, painted_BTHWC, strict=True)
        rows = [row for pair in pairs for row in pair]
        shown_K = np.linspace(0, task.frames - 1, min(task.frames, _COLUMNS)).round().astype(int)
        side = max(task.config.data.height, task.config.data.width)
        sheet_HWC = contact_sheet(
            np.concatenate([row[shown_K] for row in rows]),
            np.tile(np.linspace(0, 1, task.frames)[shown_K], len(rows)),
            columns=len(shown_K),
            scale=_SIDE / side if side > _SIDE else None,
            title=f"Step {step}: recorded above, painted below",
            row_titles=[title for row in self.rows for title in (row, "painted")],
        )
        with written_beside(self._folder / "sheets" / f"{step:07d}.png") as path:
            path.write_bytes(pictures.encode(sheet_HWC, "png"))
        return sheet_HWC

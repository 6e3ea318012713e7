"""Validation during training: the held-out loss and contact sheets."""

import itertools
from collections.abc import Iterable, Sequence

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh

from painting_jax.data import pictures, pipeline
from painting_jax.data.cached_latents import CachedSource
from painting_jax.data.contact_sheet import contact_sheet
from painting_jax.data.pipeline import by_shape
from painting_jax.data.records import Named, Records
from painting_jax.diffusion.painting import paint
from painting_jax.diffusion.sampling import decode_clean
from painting_jax.errors import UserError
from painting_jax.files import written_beside
from painting_jax.sharding.rules import batch_sharding
from painting_jax.tasks.task import Task
from painting_jax.training.step import make_held_out_loss

# Maximum number of frames per process on a contact sheet, and maximum side of a frame in pixels.
_COLUMNS, _SIDE = 17, 256


def held_out(source: Records) -> Records | None:
    """The validation split beside a training split; None if there are too few sources for one."""
    kind = CachedSource if isinstance(source, CachedSource) else pipeline.DataSource
    try:
        return kind(source.path, "validation")
    except UserError:
        return None


class HeldOutLoss:
    """The training loss of the averaged parameters on held-out processes, nothing dropped.

    It is measured on as many processes as a batch has, spread evenly over the split, always with
    the same noise. They are read, and the loss compiled, at the first measurement; with buckets,
    once for each of their shapes.
    """

    def __init__(self, task: Task, source: Records, examples: pipeline.Maker, mesh: Mesh):
        self._task, self._source, self._examples, self._mesh = task, source, examples, mesh
        self._batches: list[tuple[dict, int]] = []
        self._loss = jax.jit(make_held_out_loss(task))

    def __call__(self, params: dict, frozen: dict) -> float:
        if not self._batches:
            count = self._task.config.data.batch_size
            rows = pipeline.spread_rows(self._source, self._examples, count)
            groups = by_shape(rows, self._examples)
            self._batches = [self._batch([rows[i] for i in same]) for same in groups]
        seed = self._task.config.seed
        losses = [
            float(self._loss(params, frozen, batch, seed)[:count].mean())
            for batch, count in self._batches
        ]
        return float(np.average(losses, weights=[count for _, count in self._batches]))

    def _batch(self, rows: list[pipeline.Batch]) -> tuple[dict, int]:
        """Rows of one shape on the devices, and their number; the last fills up the devices."""
        shards = self._mesh.shape["data"] * self._mesh.shape["fsdp"]
        batch = pipeline.stack([*rows, *[rows[-1]] * (-len(rows) % shards)])
        del batch["index_B"]
        return jax.device_put(batch, batch_sharding(self._mesh)), len(rows)


def _described(process: Named) -> str:
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
        source: Records,
        examples: pipeline.Maker,
        folder: epath.Path,
        mesh: Mesh,
    ):
        config = task.config
        self._task, self._folder, self._mesh = task, folder, mesh
        samples = pipeline.spread_rows(source, examples, min(config.log.samples, len(source)))
        # Those that were encoded are decoded with the first sheet.
        self._recorded = [sample.pop("frames_BTHWC", None) for sample in samples]
        self.rows = [_described(source.record(int(sample.pop("index_B")))) for sample in samples]
        for sample in samples:
            sample["seed_B"] = np.array(config.seed, np.int32)
        self._same = by_shape(samples, examples)
        self._batches = [pipeline.stack([samples[i] for i in same]) for same in self._same]

    def paint(self, step: int, params: dict, frozen: dict) -> np.ndarray | None:
        """Paints and writes a sheet.

        Returns:
          Its pixels in the first process; None in the others.
        """
        task = self._task
        # All processes paint, since the parameters are sharded over them. Only the first writes.
        networks = task.networks(params, frozen)
        batches = paint(task.model, frozen, networks, self._batches, task.sampling(), self._mesh)
        painted = self._in_order(batches)
        if self._recorded[0] is None:
            self._recorded = self._in_order(
                decode_clean(task.model, frozen, batch, self._mesh) for batch in self._batches
            )
        if jax.process_index():
            return None
        pairs = zip(self._recorded, painted, strict=True)
        rows = _on_one_canvas([row for pair in pairs for row in pair])
        shown_K = np.linspace(0, task.frames - 1, min(task.frames, _COLUMNS)).round().astype(int)
        side = max(rows[0].shape[1:3])
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

    def _in_order(self, batches: Iterable[np.ndarray]) -> list[np.ndarray]:
        """The videos of batches in the order of the rows."""
        videos = dict(zip(itertools.chain(*self._same), itertools.chain(*batches), strict=True))
        return [videos[place] for place in sorted(videos)]


def _on_one_canvas(videos: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Videos uint8[T, H, W, 3] on white of the largest height and width among them."""
    height, width = np.max([video.shape[1:3] for video in videos], axis=0)
    placed = []
    for video in videos:
        below, right = height - video.shape[1], width - video.shape[2]
        sides = ((0, 0), (below // 2, below - below // 2), (right // 2, right - right // 2), (0, 0))
        placed.append(np.pad(video, sides, constant_values=255))
    return placed

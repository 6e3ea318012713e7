"""A model from a run's latest checkpoint, ready to paint and to be measured."""

import functools

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh

from painting_jax.errors import UserError
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.registry import make_task
from painting_jax.tasks.task import Task
from painting_jax.text.conditioner import TextConditioner
from painting_jax.training.checkpoint import Checkpoints, read_config
from painting_jax.training.config_check import check_fields
from painting_jax.training.step import make_loss

# Of a batch, what a model is told.
_CONDITIONS = ("reference_BHWC", "medium_BM", "text_BL", "text_BLD", "segments_BHW")


class TrainedModel:
    """Averaged parameters with the functions that use them, jitted once per shape."""

    def __init__(
        self,
        task: Task,
        params: dict,
        frozen: dict,
        text_conditioner: TextConditioner,
        step: int,
    ):
        """Takes the parts; `load` finds them in a workdir."""
        self.task = task
        self.config = task.config
        self.params = params
        self.frozen = frozen
        self.text_conditioner = text_conditioner
        self.step = step
        self._loss = jax.jit(make_loss(task))

    @classmethod
    def load(cls, workdir: epath.PathLike, mesh: Mesh | None = None) -> "TrainedModel":
        """Loads the latest checkpoint of a run.

        Args:
          workdir: of the run.
          mesh: to lay the parameters out on; all devices along its data axis if None.

        Raises:
          UserError: if the folder is no run, has no checkpoint, or they do not fit together.
        """
        config = read_config(workdir)
        folder = epath.Path(workdir)
        check_fields(config, folder / "config.json")
        task = make_task(config, folder)
        mesh = mesh or make_mesh({"data": -1, "fsdp": 1, "tensor": 1, "sequence": 1})
        text_conditioner = task.text_conditioner(folder, (), mesh)
        if not (folder / "checkpoints").exists():
            raise UserError(f"{workdir} has no checkpoint yet: train it first")
        checkpoints = Checkpoints(folder, read_only=True)
        step = checkpoints.latest()
        if step is None:
            raise UserError(f"{workdir} has no checkpoint yet: train it first")
        try:
            params = checkpoints.restore_ema(task, mesh)
        finally:
            checkpoints.close()
        frozen = task.load_frozen(mesh, text_conditioner)
        return cls(task, params, frozen, text_conditioner, step)

    @property
    def label(self) -> str:
        """What a video's metadata calls the model."""
        model = self.config.model
        return f"painting_jax {model.dim}x{model.layers}, {self.step} steps"

    def generate(
        self,
        batch: dict[str, np.ndarray],
        *,
        frames: int,
        steps: int,
        guidance: float,
        seed: int | np.ndarray,
    ) -> np.ndarray:
        """Paints the pictures of a batch.

        Args:
          batch: reference_BHWC, medium_BM, the text condition, segments_BHW; see `data.pipeline`.
          frames: T, evenly spaced in progress.
          steps: of the sampler.
          guidance: 1 = none.
          seed: one for all pictures, or int[B].

        Returns:
          uint8[B, T, H, W, 3] in painted order.
        """
        given = {name: batch[name] for name in _CONDITIONS if name in batch}
        count = len(given["medium_BM"])
        progress_T = np.linspace(0, 1, frames, dtype=np.float32)
        given["progress_BT"] = np.broadcast_to(progress_T, (count, frames))
        seed_B = np.broadcast_to(np.int32(seed), (count,))
        return np.asarray(self._paint(steps, guidance)(self.params, self.frozen, given, seed_B))

    def losses(self, batch: dict[str, np.ndarray], *, seed: int) -> np.ndarray:
        """The objective on recorded processes, float32[B]: noise fixed by seed, nothing dropped."""
        names = (*_CONDITIONS, "frames_BTHWC", "progress_BT")
        given = {name: batch[name] for name in names if name in batch}
        return np.asarray(self._loss(self.params, self.frozen, given, seed))

    @functools.lru_cache(maxsize=8)  # noqa: B019  (a model lives as long as its process)
    def _paint(self, steps: int, guidance: float):
        return jax.jit(functools.partial(self.task.paint, steps=steps, guidance=guidance))

"""The model of a training run, from its latest checkpoint, ready to paint and to be measured."""

import contextlib
from collections.abc import Callable

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh

from painting_jax.config import read_config
from painting_jax.diffusion.sampling import paint
from painting_jax.errors import UserError
from painting_jax.sharding.mesh import make_mesh
from painting_jax.tasks.registry import make_task
from painting_jax.tasks.task import Task
from painting_jax.text.conditioner import TextConditioner
from painting_jax.training.checkpoint import Checkpoints
from painting_jax.training.step import make_held_out_loss

# Arrays of a batch that condition a model.
_CONDITIONS = ("reference_BHWC", "medium_BM", "text_BL", "text_BLD", "segments_BHW")


class Run:
    """Averaged parameters of a run with the functions that use them.

    Args:
      task: Task of the run.
      params: Averaged parameters.
      frozen: Frozen parameters.
      text_conditioner: Text conditioner.
      step: Training steps done.
      mesh: Mesh that the parameters are laid out on.
    """

    def __init__(
        self,
        task: Task,
        params: dict,
        frozen: dict,
        text_conditioner: TextConditioner,
        step: int,
        mesh: Mesh,
    ):
        self.task = task
        self.config = task.config
        self.params = params
        self.frozen = frozen
        self.text_conditioner = text_conditioner
        self.step = step
        self.mesh = mesh
        self._loss = jax.jit(make_held_out_loss(task))

    @classmethod
    def load(cls, workdir: epath.PathLike, mesh: Mesh | None = None) -> "Run":
        """Loads the latest checkpoint of a run that is not damaged.

        Args:
          workdir: Folder of the run.
          mesh: Mesh to lay the parameters out on; None puts all devices along its data axis.

        Raises:
          UserError: If the folder is no run, has no checkpoint, or the two do not fit together.
        """
        config = read_config(workdir)
        folder = epath.Path(workdir)
        task = make_task(config, folder)
        mesh = mesh or make_mesh({"data": -1})
        conditioner = task.text_conditioner(folder, (), mesh)
        if not (folder / "checkpoints").exists():
            raise UserError(f"{workdir} has no checkpoint yet: train it first")
        with contextlib.closing(Checkpoints(folder, read_only=True)) as checkpoints:
            if checkpoints.latest() is None:
                raise UserError(f"{workdir} has no checkpoint yet: train it first")
            params, step = checkpoints.restore_ema(task, mesh)
        return cls(task, params, task.load_frozen(mesh, conditioner), conditioner, step, mesh)

    @property
    def label(self) -> str:
        """Name of the model in a video's metadata."""
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
        on_step: Callable[[], object] = lambda: None,
    ) -> np.ndarray:
        """Paints the pictures of a batch.

        Args:
          batch: reference_BHWC, medium_BM, the arrays of `text_conditioner`, segments_BHW; see
            `data.pipeline`.
          frames: Frames T of the process, evenly spaced in progress.
          steps: Number of sampling steps.
          guidance: Scale of classifier-free guidance; 1 = none.
          seed: One seed for all pictures, or int[B].
          on_step: Called after each sampling step.

        Returns:
          uint8[B, T, H, W, 3] in painted order.
        """
        conditions = {name: batch[name] for name in _CONDITIONS if name in batch}
        count = len(conditions["medium_BM"])
        progress_T = np.linspace(0, 1, frames, dtype=np.float32)
        conditions["progress_BT"] = np.broadcast_to(progress_T, (count, frames))
        conditions["seed_B"] = np.broadcast_to(np.int32(seed), (count,))
        [frames_BTHWC] = paint(
            self.task.model,
            self.frozen,
            self.task.networks(self.params, self.frozen),
            [conditions],
            self.task.sampling(steps=steps, guidance=guidance),
            self.mesh,
            on_step=on_step,
        )
        return frames_BTHWC

    def losses(self, batch: dict[str, np.ndarray], *, seed: int) -> np.ndarray:
        """The training loss on recorded processes, float32[B], nothing dropped; the seed fixes the
        noise."""
        names = (*_CONDITIONS, "frames_BTHWC", "progress_BT")
        arrays = {name: batch[name] for name in names if name in batch}
        return np.asarray(self._loss(self.params, self.frozen, arrays, seed))

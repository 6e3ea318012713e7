"""The model of a training run, loaded from its latest checkpoint for painting and evaluation."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import jax
import numpy as np
from etils import epath
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax.config_checks import read_run
from painting_jax.diffusion.painting import paint, paint_each
from painting_jax.diffusion.step_cache import StepCache
from painting_jax.errors import UserError
from painting_jax.generation import pace
from painting_jax.generation.devices import Devices
from painting_jax.models.family import VideoModel
from painting_jax.tasks.published import is_finetuned
from painting_jax.tasks.registry import make_task
from painting_jax.tasks.task import Task
from painting_jax.text.conditioner import TextConditioner
from painting_jax.training import sampled
from painting_jax.training.step import make_held_out_loss

# Largest scale of guidance with which a model of picture space keeps the colours of its pictures.
_MOST_GUIDANCE = 1.5
# Arrays of a batch that the model is conditioned on.
_CONDITIONS = (
    *("reference_BHWC", "other_look_B"),
    *("medium_BM", "text_BL", "text_BLD", "segments_BHW"),
    *("behind_BHWC", "behind_segments_BHW", "canvas_BHWC", "given_B"),
)


def guidance_warning(config: ConfigDict, guidance: float | None) -> str | None:
    """A line about a scale of guidance that spoils pictures; None for one that does not.

    Args:
      config: Config of the run that paints.
      guidance: Scale that is asked for; None = the run's.
    """
    if guidance is None or guidance <= _MOST_GUIDANCE or is_finetuned(config):
        return None
    return (
        f"warning: --guidance={guidance:g}: a model of this kind keeps the colours of its pictures "
        f"up to {_MOST_GUIDANCE:g}"
    )


class Run:
    """Averaged parameters of a run, with methods to generate and to compute losses.

    Args:
      task: Task of the run.
      params: Averaged parameters.
      frozen: Frozen parameters.
      text_conditioner: Text conditioner.
      step: Number of training steps done.
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
    def load(cls, workdir: epath.PathLike, devices: Devices | None = None) -> "Run":
        """Loads a released run, or the latest checkpoint of a run that is not damaged.

        Args:
          workdir: Folder of the run.
          devices: Devices that the model paints on; None = all, along the data axis.

        Raises:
          UserError: If the folder is not a run, has no checkpoint, or its config and checkpoint do
            not match.
        """
        config = read_run(workdir)
        folder = epath.Path(workdir)
        devices = devices or Devices.of(None, {"data": -1})
        devices.check(config.model.heads)
        mesh = devices.mesh
        # Not those that it was trained on.
        config.mesh.update(dict(mesh.shape), ring=devices.ring)
        task = make_task(config, folder)
        conditioner = task.text_conditioner(folder, (), mesh)
        params, step = sampled.restore(folder, task, mesh)
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
        cache: StepCache | None = None,
        on_step: Callable[[], object] | None = None,
    ) -> np.ndarray:
        """Paints the pictures of a batch.

        Args:
          batch: Arrays reference_BHWC, other_look_B, medium_BM and segments_BHW, and those of
            `text_conditioner`; see `data.pipeline`. Where the model paints at any size, the sides
            of the pictures may be any multiple of those that the tokens see.
          frames: Number T of frames of the process, evenly spaced in progress.
          steps: Number of sampling steps.
          guidance: Scale of classifier-free guidance; 1 = none.
          seed: Seed of the noise, one for all pictures or int[B].
          cache: Step cache that skips steps, see `denoise`.
          on_step: Called after each sampling step; None takes all steps at once.

        Returns:
          Frames, uint8[B, T, H, W, 3], in painted order.
        """
        conditions = self._conditions(batch, frames, seed)
        model = self.task.model
        if self.paints_any_size:
            model = self._model_at(batch["reference_BHWC"].shape[1])
        [frames_BTHWC] = paint(
            model,
            self.frozen,
            self.task.networks(self.params, self.frozen),
            [Devices(self.mesh).filled(conditions)],
            self.task.sampling(steps=steps, guidance=guidance),
            self.mesh,
            cache=cache,
            on_step=on_step,
        )
        return frames_BTHWC[: len(batch["medium_BM"])]

    def generate_each(
        self,
        rows: Sequence[dict[str, np.ndarray]],
        *,
        frames: int,
        steps: int,
        guidance: float,
        seed: int,
        part: tuple[float, float] = (0.0, 1.0),
        cache: StepCache | None = None,
        on_step: Callable[[], object] | None = None,
    ) -> Iterator[np.ndarray]:
        """Paints pictures at their own sizes, where the model paints at any (`paints_any_size`).

        Args:
          rows: Batches of one picture each, see `generate`. The sides of a picture are whole
            multiples of those that the tokens see, the same multiple for both.
          frames: As in `generate`, as are the other arguments.
          steps: Number of sampling steps.
          guidance: Scale of classifier-free guidance.
          seed: Seed of the noise.
          part: Progress of the first and of the last frame.
          cache: Step cache.
          on_step: As in `paint_each`.

        Yields:
          Frames of each picture, uint8[T, H, W, 3], in painted order.
        """
        # The devices share the batch of latents evenly.
        filled = [*rows, *[rows[-1]] * (-len(rows) % Devices(self.mesh).pictures)]
        painted = paint_each(
            [self._model_at(row["reference_BHWC"].shape[1]) for row in filled],
            self.frozen,
            self.task.networks(self.params, self.frozen),
            [self._conditions(row, frames, seed, part) for row in filled],
            self.task.sampling(steps=steps, guidance=guidance),
            self.mesh,
            cache=cache,
            on_step=on_step,
        )
        for _, frames_THWC in zip(rows, painted, strict=False):
            yield frames_THWC

    @property
    def paints_any_size(self) -> bool:
        """Whether the network makes the video from the latents, so that its size is free."""
        return self.task.model.family.network_decoder is not None and bool(
            self.config.model.pixel_layers
        )

    @property
    def seen_HW(self) -> tuple[int, int]:
        """Height and width of the pictures that the tokens see."""
        spatial = self.task.model.codec.spatial
        return self.config.data.height // spatial, self.config.data.width // spatial

    def sides(self, longer: int) -> tuple[int, int]:
        """Height and width of a painting with this longer side, in pixels.

        Raises:
          UserError: If the model does not paint that size.
        """
        if not self.paints_any_size:
            raise UserError(f"--size={longer}: the model has no pixel head that paints other sizes")
        seen = self.seen_HW
        times, rest = divmod(longer, max(seen))
        if rest or not times:
            near = max(1, times) * max(seen)
            raise UserError(
                f"--size={longer}: it must be a multiple of {max(seen)}, such as {near}"
            )
        return times * seen[0], times * seen[1]

    def _model_at(self, height: int) -> VideoModel:
        """The model for pictures of a height, of which the tokens see the same as in training."""
        return dataclasses.replace(self.task.model, codec_config=height // self.seen_HW[0])

    def _conditions(
        self,
        batch: dict[str, np.ndarray],
        frames: int,
        seed: int | np.ndarray,
        part: tuple[float, float] = (0.0, 1.0),
    ) -> dict[str, np.ndarray]:
        """What a batch is painted from.

        Raises:
          UserError: If the model does not make that many frames.
        """
        patch = self.config.model.patch[0]
        if frames % patch:
            raise UserError(f"{frames} frames: this model makes multiples of {patch}")
        conditions = {name: batch[name] for name in _CONDITIONS if name in batch}
        count = len(conditions["medium_BM"])
        progress_T = pace.told(self.config.sampling.pace, np.linspace(*part, frames))
        conditions["progress_BT"] = np.broadcast_to(progress_T, (count, frames))
        conditions["seed_B"] = np.broadcast_to(np.int32(seed), (count,))
        return conditions

    def losses(self, batch: dict[str, np.ndarray], *, seed: int) -> np.ndarray:
        """Training loss on recorded processes, float32[B], without dropping conditions.

        Args:
          batch: Arrays of `data.pipeline`.
          seed: Seed of the noise.
        """
        names = (*_CONDITIONS, "frames_BTHWC", "progress_BT")
        arrays = {name: batch[name] for name in names if name in batch}
        return np.asarray(self._loss(self.params, self.frozen, arrays, seed))

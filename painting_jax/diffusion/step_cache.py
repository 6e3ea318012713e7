"""The step cache: sampling steps that add the blocks' residual of an earlier step (MagCache).

MagCache (arXiv 2506.09045) observes that the magnitude of the residual falls along the noise levels
in the same way for every prompt and picture. It is measured once for a model, during one sampling
in full. From then on, the error of skipping is predicted from the magnitudes alone, and the steps
to skip are known before the first one: for a whole batch alike, without looking at its residuals.

Magnitudes are kept over the noise level, rather than for the steps that were taken: what was
measured serves any sampler, shift and smaller number of steps.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from painting_jax.diffusion.model_velocity import Residuals

# Share of a transformer's steps that are always computed, at the beginning, where the picture is
# laid out; and how many steps may be skipped in a row. Both as in the paper's fast setting.
_COMPUTED_AT_FIRST = 0.2
_MOST_IN_A_ROW = 4


@dataclasses.dataclass(frozen=True)
class Magnitudes:
    """Magnitudes of a transformer's residuals, as they were measured.

    Attributes:
      timesteps: Decreasing timesteps, in 0..1000.
      logs: Logarithm of the magnitude at each, relative to the first, for each pass: under the
        conditions, and with guidance under the negative ones.
    """

    timesteps: tuple[float, ...]
    logs: tuple[tuple[float, ...], ...]

    def serves(self, timesteps_N: Float[np.ndarray, " n"], passes: int) -> bool:
        """Whether they are enough for such a sampling: as many passes, and as fine steps."""
        return len(self.logs) >= passes and len(self.timesteps) >= len(timesteps_N)


def skipped_steps(
    magnitudes: Magnitudes, timesteps_N: Float[np.ndarray, " n"], threshold: float
) -> Bool[np.ndarray, " n"]:
    """Which steps of a transformer are skipped.

    A step is skipped while the sum of |1 - ratio| over the steps skipped in a row stays below the
    threshold, in every pass. The ratio is that of the residual's magnitude to the one at the last
    computed step. The first fifth of the steps, the last one, and steps at noise levels that were
    not measured are computed.

    Args:
      magnitudes: Magnitudes of the transformer.
      timesteps_N: Decreasing timesteps of its steps.
      threshold: Largest predicted error, above 0; 0 skips nothing.
    """
    steps = len(timesteps_N)
    measured = np.array(magnitudes.timesteps)
    logs_PN = np.array(
        [np.interp(timesteps_N, measured[::-1], row[::-1]) for row in magnitudes.logs]
    )
    known_N = (timesteps_N <= measured[0]) & (timesteps_N >= measured[-1])
    skipped_N = np.zeros(steps, bool)
    computed, error_P = 0, np.zeros(len(logs_PN))
    for step in range(max(1, math.ceil(_COMPUTED_AT_FIRST * steps)), steps):
        if not skipped_N[step - 1]:
            computed, error_P = step - 1, np.zeros(len(logs_PN))
        error_P = error_P + np.abs(1 - np.exp(logs_PN[:, step] - logs_PN[:, computed]))
        skipped_N[step] = (
            known_N[step]
            and step < steps - 1
            and step - computed <= _MOST_IN_A_ROW
            and error_P.max() < threshold
        )
    return skipped_N


@dataclasses.dataclass
class StepCache:
    """The step cache of a model, while it paints.

    Attributes:
      threshold: Largest predicted error of steps skipped in a row; 0 skips nothing.
      magnitudes: What was measured, for each transformer by its index. A sampling that they do not
        serve is done in full and measured, and adds its own.
      skipped: Number of steps that the last sample skipped.
    """

    threshold: float
    magnitudes: dict[int, Magnitudes] = dataclasses.field(default_factory=dict)
    skipped: int = 0

    @property
    def parameters(self) -> dict[str, float]:
        """What the record of the last sample says of the cache."""
        return {"step_cache": self.threshold, "skipped_steps": self.skipped}

    def to_skip(
        self, expert: int, timesteps_N: Float[np.ndarray, " n"], passes: int
    ) -> Bool[np.ndarray, " n"] | None:
        """Which steps of a transformer are skipped; None where its magnitudes must be measured."""
        known = self.magnitudes.get(expert)
        if known is None or not known.serves(timesteps_N, passes):
            return None
        own = dataclasses.replace(known, logs=known.logs[:passes])
        return skipped_steps(own, np.asarray(timesteps_N), self.threshold)

    def measured(
        self,
        expert: int,
        timesteps_N: Float[np.ndarray, " n"],
        log_ratios_NP: Float[np.ndarray, "n p"],
    ) -> None:
        """Takes what a sampling in full has measured: `Kept.log_ratios_NP` of its steps."""
        logs_NP = np.cumsum(log_ratios_NP, 0, dtype=np.float64)
        self.magnitudes[expert] = Magnitudes(
            tuple(map(float, timesteps_N)), tuple(map(tuple, logs_NP.T.tolist()))
        )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Kept:
    """What a step leaves on the devices for the next one.

    Attributes:
      residuals: Residual of each pass, of the last computed step.
      log_ratios_NP: Logarithm of the magnitude of each pass's residual relative to the one kept
        before, for each step taken.
    """

    residuals: Residuals
    log_ratios_NP: Float[Array, "n p"]

    @classmethod
    def nothing(cls, shapes: tuple[jax.ShapeDtypeStruct, ...], steps: int) -> "Kept":
        """Before the first step, of residuals of these shapes and a table of so many steps."""
        residuals = tuple(jnp.zeros(shape.shape, shape.dtype) for shape in shapes)
        return cls(residuals, jnp.zeros((steps, len(shapes))))

    def after(self, index: Int[Array, ""], residuals: Residuals) -> "Kept":
        """After a step that left these residuals."""
        ratios = [_ratio(new, old) for new, old in zip(residuals, self.residuals, strict=True)]
        log_ratios_NP = self.log_ratios_NP.at[index].set(jnp.log(jnp.stack(ratios)))
        return Kept(residuals, log_ratios_NP)


def _ratio(new_BSD: Float[Array, "b s d"], old_BSD: Float[Array, "b s d"]) -> Float[Array, ""]:
    """Mean ratio of the tokens' magnitudes; 1 where there was nothing before."""
    new_BS, old_BS = (jnp.linalg.norm(x.astype(jnp.float32), axis=-1) for x in (new_BSD, old_BSD))
    return jnp.where(old_BS > 0, new_BS / jnp.where(old_BS > 0, old_BS, 1), 1).mean()

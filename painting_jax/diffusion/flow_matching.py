"""Flow matching: straight paths from data to noise (arXiv 2210.02747).

At noise level sigma a sample is x = (1 - sigma) clean + sigma noise; its velocity is noise - clean.
"""

import dataclasses
import math
import statistics
from typing import Literal, get_args

import jax
from jaxtyping import Array, Float, PRNGKeyArray

# Converting a clean prediction into a velocity divides by the noise level. Without this floor,
# invisibly low noise levels would dominate the loss.
NOISE_FLOOR = 0.05

NoiseKind = Literal["uniform", "logit_normal"]
NOISE_KINDS: tuple[NoiseKind, ...] = get_args(NoiseKind)


@dataclasses.dataclass(frozen=True)
class NoiseDistribution:
    """Distribution of the noise level in training.

    Attributes:
      kind: "uniform", or "logit_normal" (the sigmoid of a normal; arXiv 2403.03206).
      mean: Mean of the normal under the sigmoid.
      std: Standard deviation of that normal.
      shift: Time shift towards noise, as in `shifted`; 1 changes nothing.
      sigma_range: Lowest and highest noise level; the distribution is truncated to this range.
    """

    kind: NoiseKind
    mean: float = 0.0
    std: float = 1.0
    shift: float = 1.0
    sigma_range: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self):
        if self.kind not in NOISE_KINDS:
            raise ValueError(f"unknown noise distribution {self.kind!r}")

    def sample(self, key: PRNGKeyArray, count: int) -> Float[Array, " b"]:
        """Draws noise levels in (0, 1)."""
        return self.quantile(jax.random.uniform(key, (count,), minval=1e-4, maxval=1.0))

    def quantile(self, share: Float[Array, "*b"]) -> Float[Array, "*b"]:
        """Noise level below which the given share of the distribution lies."""
        lowest, highest = map(self._untruncated_cdf, self.sigma_range)
        share = lowest + (highest - lowest) * share
        if self.kind == "logit_normal":
            share = jax.nn.sigmoid(self.mean + self.std * jax.scipy.special.ndtri(share))
        return shifted(share, self.shift)

    def _untruncated_cdf(self, sigma: float) -> float:
        """Share of the untruncated distribution below a noise level, computed on the host."""
        if not 0 < sigma < 1:
            return float(sigma > 0)
        unshifted = shifted(sigma, 1 / self.shift)
        if self.kind == "uniform":
            return unshifted
        logit = math.log(unshifted / (1 - unshifted))
        return statistics.NormalDist(self.mean, self.std).cdf(logit)


def shifted(sigma: Float[Array, "*b"], shift: float) -> Float[Array, "*b"]:
    """Time shift of Wan and SD3 (arXiv 2403.03206): shift sigma / (1 + (shift - 1) sigma)."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def expand(sigma_B: Float[Array, " b"], like: Float[Array, "b ..."]) -> Float[Array, "b ..."]:
    """Appends dimensions of size 1 until the ranks are equal."""
    return sigma_B.reshape(sigma_B.shape + (1,) * (like.ndim - sigma_B.ndim))


def noisy(clean: Float[Array, "b ..."], noise: Float[Array, "b ..."], sigma_B: Float[Array, " b"]):
    """Sample at noise level sigma on the straight path from clean to noise."""
    sigma = expand(sigma_B, clean)
    return (1 - sigma) * clean + sigma * noise


def velocity(
    prediction: Float[Array, "b ..."],
    sample: Float[Array, "b ..."],
    sigma_B: Float[Array, " b"],
    *,
    clean_prediction: bool,
) -> Float[Array, "b ..."]:
    """Velocity from the output of a network, at noise levels above 0.

    A network that predicts the velocity (Wan) outputs it directly. For a network that predicts the
    clean sample it is (sample - clean) / sigma (arXiv 2511.13720).
    """
    if not clean_prediction:
        return prediction
    return (sample - prediction) / expand(sigma_B, sample)

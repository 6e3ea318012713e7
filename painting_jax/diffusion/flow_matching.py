"""Flow matching: straight paths from data to noise (arXiv 2210.02747), laws of the noise level.

At noise level sigma a sample is x = (1 - sigma) clean + sigma noise; its velocity is noise - clean.
"""

import math
import statistics
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

# Where a clean prediction is turned into a velocity the noise level divides; below this floor the
# loss would be all about the last, invisible trace of noise.
NOISE_FLOOR = 0.05

Law = Literal["uniform", "logit_normal"]


def noise_levels(
    key: PRNGKeyArray,
    count: int,
    *,
    law: Law,
    mean: float,
    std: float,
    shift: float,
    between: tuple[float, float] = (0.0, 1.0),
) -> Float[Array, " b"]:
    """Draws noise levels in (0, 1).

    Args:
      key: random key.
      count: how many.
      law: "uniform", or "logit_normal" (sigmoid of a normal; arXiv 2403.03206).
      mean: of the normal under the sigmoid.
      std: of the same.
      shift: moves the levels towards noise, as `shifted` does; 1 leaves them.
      between: the levels that the law is cut down to.
    """
    share_B = jax.random.uniform(key, (count,), minval=1e-4, maxval=1.0)
    return noise_quantiles(share_B, law=law, mean=mean, std=std, shift=shift, between=between)


def noise_quantiles(
    share: Float[Array, "*b"],
    *,
    law: Law,
    mean: float,
    std: float,
    shift: float,
    between: tuple[float, float] = (0.0, 1.0),
) -> Float[Array, "*b"]:
    """The noise level below which a share of the law lies; arguments as of `noise_levels`."""
    terms = {"law": law, "mean": mean, "std": std, "shift": shift}
    least, most = (_share_below(level, **terms) for level in between)
    share = least + (most - least) * share
    if law == "uniform":
        return shifted(share, shift)
    if law == "logit_normal":
        return shifted(jax.nn.sigmoid(mean + std * jax.scipy.special.ndtri(share)), shift)
    raise ValueError(f"unknown law of the noise level {law!r}")


def _share_below(level: float, *, law: Law, mean: float, std: float, shift: float) -> float:
    """The share of a whole law that lies below a noise level, worked out on the host."""
    if not 0 < level < 1:
        return float(level > 0)
    plain = shifted(level, 1 / shift)
    if law == "uniform":
        return plain
    return statistics.NormalDist(mean, std).cdf(math.log(plain / (1 - plain)))


def shifted(sigma: Float[Array, "*b"], shift: float) -> Float[Array, "*b"]:
    """shift sigma / (1 + (shift - 1) sigma): the time shift of Wan and SD3 (arXiv 2403.03206)."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def expand(sigma_B: Float[Array, " b"], like: Float[Array, "b ..."]) -> Float[Array, "b ..."]:
    """Appends dimensions of extent 1 until the ranks are equal."""
    return sigma_B.reshape(sigma_B.shape + (1,) * (like.ndim - sigma_B.ndim))


def noisy(clean: Float[Array, "b ..."], noise: Float[Array, "b ..."], sigma_B: Float[Array, " b"]):
    """The sample at noise level sigma on the straight path from clean to noise."""
    sigma = expand(sigma_B, clean)
    return (1 - sigma) * clean + sigma * noise


def velocity(
    prediction: Float[Array, "b ..."],
    sample: Float[Array, "b ..."],
    sigma_B: Float[Array, " b"],
    *,
    clean_prediction: bool,
) -> Float[Array, "b ..."]:
    """The velocity that a network's output stands for, at noise levels above 0.

    A velocity network (Wan) outputs it; one that predicts the clean sample gives
    (sample - clean) / sigma (arXiv 2511.13720).
    """
    if not clean_prediction:
        return prediction
    return (sample - prediction) / expand(sigma_B, sample)


def velocity_loss(
    prediction: Float[Array, "b ..."],
    clean: Float[Array, "b ..."],
    noise: Float[Array, "b ..."],
    sigma_B: Float[Array, " b"],
    *,
    clean_prediction: bool,
    huber: float = 0.0,
) -> Float[Array, " b"]:
    """Error of the velocity, one number a sample.

    A clean prediction's velocity divides by the noise level, here clipped at `NOISE_FLOOR`.

    Args:
      prediction: of the network.
      clean: the sample without noise.
      noise: that was added.
      sigma_B: the noise level.
      clean_prediction: as of `velocity`.
      huber: root mean square over the channels up to which an error counts by its square; larger
        ones count by their size, as in consistency training (pseudo-Huber, arXiv 2310.14189), so
        that of two outcomes the likelier is predicted and not their mean. 0 = all by their square.
    """
    if clean_prediction:
        error = (prediction - clean) / jnp.maximum(expand(sigma_B, clean), NOISE_FLOOR)
    else:
        error = prediction - (noise - clean)
    square = jnp.square(error).mean(-1)
    if huber:
        square = 2 * huber * (jnp.sqrt(square + huber**2) - huber)
    return square.mean(range(1, square.ndim))

"""Reverse painting: turns recorded processes into training examples and computes their loss.

The recorded process is played backwards: frame 0 is the finished picture, on which an
image-to-video model is conditioned, and the last frame is the blank canvas (arXiv 2511.17344). Time
is reversed in pixels, never in latents, because video codecs are causal.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from painting_jax.diffusion import cross_media, flow_matching, losses
from painting_jax.diffusion.flow_matching import NoiseDistribution
from painting_jax.models.codec import Codec, to_float, to_uint8
from painting_jax.models.family import Encoders, VideoModel, drop_randomly

# Arrays of a batch that was encoded beforehand: the clean latents, and the conditions by name.
LATENTS, CONDITIONS = "clean_BTHWC", "conditions"


@dataclasses.dataclass(frozen=True)
class Objective:
    """Training objective: how examples are drawn and how their loss is computed.

    Attributes:
      noise: Distribution of the noise level.
      augment: Probability of changing the look of the conditioning picture.
      looks_MA: Weights of `cross_media.LOOKS` for each medium.
      drop: Probability of dropping each condition, by name.
      huber: Width of the pseudo-Huber loss, see `losses.velocity_loss`.
      picture_terms: Weight of each of `losses.PICTURE_TERMS`; 0 leaves the term out.
    """

    noise: NoiseDistribution
    augment: float
    looks_MA: tuple[tuple[float, ...], ...]
    drop: dict[str, float]
    huber: float = 0.0
    picture_terms: dict[str, float] = dataclasses.field(default_factory=dict)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Example:
    """A noised training example.

    Attributes:
      clean_BTHWC: Latents of the reversed process.
      noise_BTHWC: Normal noise.
      sigma_B: Noise level in (0, 1).
      conditions: Conditions of the model, a tree of arrays.
      judged_BHW: Share of each latent that shows the picture and not its padding; None = all of it.
      target_BTHWC: What the network is to predict, where that is more than the clean latents.
    """

    clean_BTHWC: Float[Array, "b t h w c"]
    noise_BTHWC: Float[Array, "b t h w c"]
    sigma_B: Float[Array, " b"]
    conditions: Any
    judged_BHW: Float[Array, "b h w"] | None = None
    target_BTHWC: Float[Array, "b t2 h w c"] | None = None


def reverse(video_BTdots: Array) -> Array:
    """Reverses a batch of videos, or of per-frame values, in time."""
    return jnp.flip(video_BTdots, 1)


def draw_example(
    key: PRNGKeyArray,
    batch: dict[str, Array],
    model: VideoModel,
    encoders: Encoders,
    objective: Objective,
) -> Example:
    """Draws training examples: augments, encodes, drops conditions and adds noise.

    Args:
      key: Random key.
      batch: Arrays of `data.pipeline`, in painted order; or what `encode` makes of them, as the
        arrays `LATENTS` and `CONDITIONS`.
      model: Model that is trained.
      encoders: Frozen networks of the model.
      objective: Training objective.
    """
    look_key, drop_key, level_key, noise_key = jax.random.split(key, 4)
    decoder, target_BTHWC = model.network_decoder, None
    if LATENTS in batch:
        clean_BTHWC, conditions = encoded(batch, model)
    else:
        looks_BA = batch["medium_BM"] @ jnp.array(objective.looks_MA)
        reference_BHWC = to_float(batch["reference_BHWC"])
        reference_BHWC, changed_B = cross_media.augment(
            look_key, reference_BHWC, looks_BA, objective.augment
        )
        batch = batch | {"other_look_B": batch.get("other_look_B", False) | changed_B}
        if "behind_BHWC" in batch:
            # What lies behind is seen in the same look.
            behind_BHWC, _ = cross_media.augment(
                look_key, to_float(batch["behind_BHWC"]), looks_BA, objective.augment
            )
            batch = batch | {"behind_BHWC": to_uint8(behind_BHWC)}
        clean_BTHWC, conditions = encode(batch, reference_BHWC, model, encoders)
    conditions = drop_randomly(drop_key, model.family, conditions, objective.drop, encoders)
    if decoder:
        window_key = jax.random.fold_in(key, 4)
        conditions = decoder.with_window(window_key, conditions, model.config.patch)
        video_BTHWC = to_float(reverse(batch["frames_BTHWC"]))
        target_BTHWC = decoder.target(clean_BTHWC, video_BTHWC, conditions)
    sigma_B = objective.noise.sample(level_key, len(clean_BTHWC))
    noise_BTHWC = jax.random.normal(noise_key, clean_BTHWC.shape)
    judged_BHW = judged(batch, encoders.codec)
    return Example(clean_BTHWC, noise_BTHWC, sigma_B, conditions, judged_BHW, target_BTHWC)


def encode(
    batch: dict[str, Array],
    reference_BHWC: Float[Array, "b h w 3"],
    model: VideoModel,
    encoders: Encoders,
) -> tuple[Float[Array, "b t2 h2 w2 c"], Any]:
    """Clean latents of the reversed processes, and their conditions.

    Args:
      batch: Arrays of `data.pipeline`, in painted order.
      reference_BHWC: Conditioning pictures, RGB in [-1, 1].
      model: Model that is trained.
      encoders: Frozen networks of the model.
    """
    video_BTHWC = to_float(reverse(batch["frames_BTHWC"]))
    if model.conditioning_frames:
        # The picture itself is the conditioning frame. The model paints the process after it.
        video_BTHWC = jnp.concatenate([reference_BHWC[:, None], video_BTHWC], 1)
    conditions = model.family.condition(model.config, encoders, batch, reference_BHWC)
    return encoders.codec.encode(video_BTHWC), conditions


def encoded(batch: dict[str, Any], model: VideoModel) -> tuple[Float[Array, "b t2 h2 w2 c"], Any]:
    """Clean latents and conditions of a batch that was encoded beforehand, in float32.

    Args:
      batch: The arrays `LATENTS` and `CONDITIONS`, which may have been stored in less.
      model: Model that they were encoded for.
    """
    given = {
        name: array.astype(jnp.float32) if jnp.issubdtype(array.dtype, jnp.floating) else array
        for name, array in batch[CONDITIONS].items()
    }
    return batch[LATENTS].astype(jnp.float32), model.family.conditions(**given)


def by_name(conditions: Any) -> dict[str, Any]:
    """The conditions that a model takes, as the array `CONDITIONS` of a batch has them."""
    fields = (field.name for field in dataclasses.fields(conditions))
    given = {name: getattr(conditions, name) for name in fields}
    return {name: array for name, array in given.items() if array is not None}


def judged(batch: dict[str, Array], codec: Codec) -> Float[Array, "b h w"] | None:
    """Share of each latent in which the loss counts; None if it counts everywhere.

    Args:
      batch: Arrays of `data.pipeline`; with judged_BHW, only where that is 1.
      codec: Picture space.
    """
    if "judged_BHW" not in batch:
        return None
    judged_BHW = batch["judged_BHW"].astype(jnp.float32)
    b, height, width = judged_BHW.shape
    side = codec.spatial
    return judged_BHW.reshape(b, height // side, side, width // side, side).mean((2, 4))


def loss(
    predict: Callable[[Array, Array, Any], Array],
    example: Example,
    model: VideoModel,
    objective: Objective,
) -> Float[Array, " b"]:
    """Loss of each example: the error of the velocity plus the picture terms.

    Args:
      predict: Noisy latents, noise level in (0, 1) and conditions to the network's output.
      example: Noised training examples.
      model: Model that is trained.
      objective: Training objective.
    """
    noisy_BTHWC = flow_matching.noisy(example.clean_BTHWC, example.noise_BTHWC, example.sigma_B)
    prediction = predict(noisy_BTHWC, example.sigma_B, example.conditions)
    target_BTHWC = example.clean_BTHWC if example.target_BTHWC is None else example.target_BTHWC
    # Conditioning frames do not enter the loss.
    painted = slice(model.conditioning_frames, None)
    loss_B = losses.velocity_loss(
        prediction[:, painted],
        target_BTHWC[:, painted],
        example.noise_BTHWC[:, painted],
        example.sigma_B,
        clean_prediction=model.clean_prediction,
        huber=objective.huber,
        weights_BHW=example.judged_BHW,
    )
    for name, weight in objective.picture_terms.items():
        if weight:
            loss_B += weight * losses.PICTURE_TERMS[name](prediction, target_BTHWC)
    return loss_B

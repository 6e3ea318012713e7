"""Reverse painting: what the model is trained on, made on the device from a batch of processes.

The recorded process is played backwards: frame 0 is the finished picture, which an image-to-video
model is conditioned on, the last frame the blank canvas (arXiv 2511.17344). Time is flipped in
pixels, never in latents, because video codecs are causal.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, UInt8

from painting_jax.diffusion import conditions, cross_media, flow_matching
from painting_jax.diffusion.structure_loss import structure_loss
from painting_jax.models.codec import Codec
from painting_jax.models.painting_model import Conditions


@dataclasses.dataclass(frozen=True)
class Objective:
    """How a training sample is drawn and judged.

    Attributes:
      clean_prediction: whether the network predicts the clean sample (pixels) or the velocity.
      law: of the noise level, see `flow_matching.noise_levels`.
      mean: of that law.
      std: of that law.
      shift: of that law.
      reference_everywhere: the reference on every frame, or on the first alone.
      augment: probability of giving the reference another look.
      looks_MA: for each medium the weights of `cross_media.LOOKS`.
      mono_M: 1 for each medium of one pigment, 0 for the others.
      drop: probability of dropping each of `conditions.FIELDS`.
      between: noise levels that the law is cut down to.
      given: latent frames at the beginning that the model is given, and not judged by.
      huber: as of `flow_matching.velocity_loss`.
      structure: weight of `structure_loss`, in picture space; 0 = none.
    """

    clean_prediction: bool
    law: flow_matching.Law
    mean: float
    std: float
    shift: float
    reference_everywhere: bool
    augment: float
    looks_MA: tuple[tuple[float, ...], ...]
    mono_M: tuple[float, ...]
    drop: dict[str, float]
    between: tuple[float, float] = (0.0, 1.0)
    given: int = 0
    huber: float = 0.0
    structure: float = 0.0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sample:
    """A noised training sample.

    Attributes:
      clean_BTHWC: latents of the process played backwards.
      noise_BTHWC: normal noise.
      sigma_B: noise level in (0, 1).
      conditions: what the model is told.
    """

    clean_BTHWC: Float[Array, "b t h w c"]
    noise_BTHWC: Float[Array, "b t h w c"]
    sigma_B: Float[Array, " b"]
    conditions: Any


def to_float(pictures: UInt8[Array, "*b c"]) -> Float[Array, "*b c"]:
    """0..255 to [-1, 1]."""
    return pictures.astype(jnp.float32) / 127.5 - 1


def to_uint8(pictures: Float[Array, "*b c"]) -> UInt8[Array, "*b c"]:
    """[-1, 1] to 0..255, clipped and rounded."""
    return jnp.round((jnp.clip(pictures, -1, 1) + 1) * 127.5).astype(jnp.uint8)


def reverse(video_BTdots: Array) -> Array:
    """Plays a batch of videos, or of values a frame, backwards."""
    return jnp.flip(video_BTdots, 1)


def training_sample(
    key: PRNGKeyArray,
    batch: dict[str, Array],
    objective: Objective,
    *,
    encode: Callable[[dict[str, Array], Array], tuple[Array, Any]],
    drop: Callable[[PRNGKeyArray, Any], Any],
) -> Sample:
    """Draws a training sample from a batch of processes.

    Args:
      key: random key.
      batch: in painted order, see `data.pipeline`.
      objective: how it is drawn.
      encode: batch and conditioning pictures to clean latents and conditions, as `encode_painting`.
      drop: random key and conditions to conditions with some missing.
    """
    look_key, drop_key, level_key, noise_key = jax.random.split(key, 4)
    reference_BHWC = cross_media.augment(
        look_key,
        to_float(batch["reference_BHWC"]),
        batch["medium_BM"] @ jnp.array(objective.looks_MA),
        objective.augment,
    )
    clean_BTHWC, given = encode(batch, reference_BHWC)
    return Sample(
        clean_BTHWC=clean_BTHWC,
        noise_BTHWC=jax.random.normal(noise_key, clean_BTHWC.shape),
        sigma_B=flow_matching.noise_levels(
            level_key,
            clean_BTHWC.shape[0],
            law=objective.law,
            mean=objective.mean,
            std=objective.std,
            shift=objective.shift,
            between=objective.between,
        ),
        conditions=drop(drop_key, given),
    )


def encode_painting(
    batch: dict[str, Array],
    reference_BHWC: Float[Array, "b h w 3"],
    codec: Codec,
    objective: Objective,
) -> tuple[Float[Array, "b t h w c"], Conditions]:
    """Latents of the processes played backwards, and conditions as of `painting_conditions`."""
    clean_BTHWC = codec.encode(to_float(reverse(batch["frames_BTHWC"])))
    return clean_BTHWC, painting_conditions(batch, reference_BHWC, codec, objective)


def painting_conditions(
    batch: dict[str, Array],
    reference_BHWC: Float[Array, "b h w 3"],
    codec: Codec,
    objective: Objective,
) -> Conditions:
    """The conditions of a batch in reverse painting order, for training and sampling alike.

    Args:
      batch: with medium_BM, text_BL, segments_BHW and progress_BT in painted order.
      reference_BHWC: the conditioning picture, RGB in [-1, 1].
      codec: the picture space.
      objective: the one the model is trained with.
    """
    progress_BT = reverse(batch["progress_BT"])
    return Conditions(
        image_BTHWC=conditions.image_condition(
            codec,
            cross_media.seen_in(batch["medium_BM"], jnp.array(objective.mono_M), reference_BHWC),
            progress_BT.shape[1],
            everywhere=objective.reference_everywhere,
        ),
        medium_BM=batch["medium_BM"],
        text_BL=batch["text_BL"],
        segments_BHW=batch["segments_BHW"],
        progress_BT=progress_BT,
    )


def loss(model: Callable, sample: Sample, objective: Objective) -> Float[Array, " b"]:
    """The velocity loss of each sample, and what the prediction lacks in structure.

    Args:
      model: noisy latents, noise level in (0, 1) and conditions to a prediction.
      sample: to judge it by.
      objective: that the sample was drawn with.
    """
    noisy_BTHWC = flow_matching.noisy(sample.clean_BTHWC, sample.noise_BTHWC, sample.sigma_B)
    prediction = model(noisy_BTHWC, sample.sigma_B, sample.conditions)
    judged = slice(objective.given, None)
    loss_B = flow_matching.velocity_loss(
        prediction[:, judged],
        sample.clean_BTHWC[:, judged],
        sample.noise_BTHWC[:, judged],
        sample.sigma_B,
        clean_prediction=objective.clean_prediction,
        huber=objective.huber,
    )
    if objective.structure:
        loss_B += objective.structure * structure_loss(prediction, sample.clean_BTHWC)
    return loss_B

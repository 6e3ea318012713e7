"""Whether an experiment's values make sense, found out before anything is written."""

import math
from collections.abc import Iterator

import jax.numpy as jnp
from jax.sharding import Mesh
from ml_collections import ConfigDict

from configs import common
from painting_jax.diffusion import schedules
from painting_jax.diffusion.flow_matching import NOISE_KINDS
from painting_jax.diffusion.samplers import SAMPLERS, make_sampler
from painting_jax.errors import UserError
from painting_jax.models.family import FAMILIES, get_family
from painting_jax.tasks.published import EXPERTS
from painting_jax.tasks.task import make_model

_LEAST = {
    "steps": 1,
    "data.batch_size": 1,
    "data.frames": 2,
    "data.height": 1,
    "data.width": 1,
    "data.text_length": 1,
    "model.dim": 2,
    "model.layers": 1,
    "model.heads": 1,
    "model.ffn_dim": 1,
    "model.vocabulary": 2,
    "model.text_dim": 1,
    "model.pixel_layers": 0,
    "model.in_channels": 0,
    "model.image_dim": 0,
    "lora.rank": 1,
    "optimizer.warmup_steps": 0,
    "optimizer.gradient_accumulation_steps": 1,
    "sampling.steps": 1,
    "checkpoint.every": 1,
    "checkpoint.keep": 1,
    "log.every": 1,
    "log.samples_every": 1,
    "log.samples": 1,
}
# Of two float16, XLA has no product summed in float32 there.
_ON_CPU = ("float32", "bfloat16")
_SHARES = (
    "data.variant_probability",
    "data.caption_probability",
    "objective.augment",
    "objective.drop.reference",
    "objective.drop.medium",
    "objective.drop.text",
    "objective.drop.segments",
    "optimizer.end_learning_rate_fraction",
    "optimizer.ema_decay",
)
_WEIGHTS = (
    "objective.huber",
    "objective.structure",
    "objective.std",
    "optimizer.weight_decay",
)
_ABOVE_ZERO = ("optimizer.learning_rate", "objective.shift", "sampling.shift")


def check(config: ConfigDict, mesh: Mesh) -> None:
    """Checks what the types of the fields leave open.

    Raises:
      UserError: for the first value that cannot be trained with, naming the field.
    """
    for name, least in _LEAST.items():
        _require(config, name, lambda value, least=least: value >= least, f"at least {least}")
    _require(config, "seed", lambda seed: 0 <= seed < 2**31, f"from 0 to {2**31 - 1}")
    for name in _SHARES:
        _require(config, name, lambda value: 0 <= value <= 1, "from 0 to 1")
    for name in _WEIGHTS:
        _require(config, name, lambda value: 0 <= value < math.inf, "a number, at least 0")
    for name in _ABOVE_ZERO:
        _require(config, name, lambda value: 0 < value < math.inf, "a number above 0")
    _require(config, "objective.mean", math.isfinite, "a number")
    _require(config, "sampling.guidance", math.isfinite, "a number, 1 for none")
    for name in ("optimizer.b1", "optimizer.b2"):
        _require(config, name, lambda value: 0 <= value < 1, "from 0 to below 1")
    _require(config, "optimizer.clip_norm", lambda norm: norm > 0, "above 0; inf clips nothing")
    if config.objective.structure:
        _require(
            config,
            "objective.clean_prediction",
            bool,
            "True for objective.structure, which judges pictures",
        )
    _require(
        config,
        "objective.noise_distribution",
        lambda kind: kind in NOISE_KINDS,
        f"one of {', '.join(NOISE_KINDS)}",
    )
    _require(config, "model.dtype", _is_float, "float32, bfloat16 or float16")
    known = set(config.objective.drop)
    _require(config, "sampling.guide_on", known.issuperset, f"some of {', '.join(sorted(known))}")
    _require(config, "sampling.firmness", lambda firmness: 0 < firmness < 100, "from 0 to 100")
    heads = config.model.heads
    _require(
        config, "model.dim", lambda dim: dim % (2 * heads) == 0, f"a multiple of 2 x {heads} heads"
    )
    _require(config, "model.patch", lambda patch: len(patch) == 3 and min(patch) > 0, "three sizes")
    named = ", ".join(FAMILIES)
    _require(config, "model.family", lambda name: name in FAMILIES, f"one of {named}")
    named = ", ".join(SAMPLERS)
    _require(config, "sampling.sampler", lambda name: name in SAMPLERS, f"one of {named}")
    experts = ("", *EXPERTS)
    _require(config, "pretrained.expert", lambda name: name in experts, "high or low, or empty")
    _require(config, "pretrained.dtype", _is_float, "float32, bfloat16 or float16")
    if get_family(config.model.family).published:
        _check_published(config, on_cpu=mesh.devices.flat[0].platform == "cpu")
    elif config.lora.enabled:
        raise UserError("config.lora.enabled=True: a LoRA is for published weights, name a family")
    elif config.model.pixel_layers:
        _require(
            config,
            "model.patch",
            lambda patch: patch[0] == 1 and patch[1] % 2 == patch[2] % 2 == 0,
            "one frame and even sides for model.pixel_layers",
        )
    pixels = _pixels_in_a_latent(config)
    for name, patch in zip(("data.height", "data.width"), config.model.patch[1:], strict=True):
        _require(
            config,
            name,
            lambda side, p=patch * pixels: side % p == 0,
            f"a multiple of the patch, {patch * pixels}",
        )
    shards, parts = (
        mesh.shape["data"] * mesh.shape["fsdp"],
        config.optimizer.gradient_accumulation_steps,
    )
    _require(
        config,
        "data.batch_size",
        lambda size: size % (shards * parts) == 0,
        f"a multiple of {shards} devices along data and fsdp times {parts} accumulated parts",
    )


def _check_published(config: ConfigDict, *, on_cpu: bool) -> None:
    step = make_model(config).codec.temporal
    _require(
        config,
        "data.frames",
        lambda frames: frames > step and frames % step == 1,
        f"{step}k+1, such as {step + 1}, {4 * step + 1} or {20 * step + 1}",
    )
    _require(config, "model.patch", lambda patch: tuple(patch) == (1, 2, 2), "(1, 2, 2)")
    _require(
        config,
        "objective.clean_prediction",
        lambda clean: not clean,
        "False: published models predict the velocity",
    )
    if on_cpu:
        words = f"{' or '.join(_ON_CPU)} on a CPU"
        _require(config, "pretrained.dtype", lambda dtype: dtype in _ON_CPU, words)
    _require(config, "model.image_dim", lambda dim: dim % 2 == 0, "even, or 0 for none")
    _check_noise_levels(config)
    if config.lora.enabled:
        _require(config, "lora.targets", len, "the ends of some layers' names, such as ('to_q',)")
    if config.pretrained.expert:
        _require(config, "objective.std", lambda std: std > 0, "above 0 to train an expert")
    for name in ("reference", "medium", "segments"):
        _require(
            config,
            f"objective.drop.{name}",
            lambda share: not share,
            "0: of what a published model is told, the prompt alone is dropped",
        )
    _require(config, "sampling.guidance", lambda scale: scale >= 1, "at least 1, which is none")
    _require(
        config,
        "sampling.guide_on",
        lambda names: tuple(names) == ("text",),
        "('text',), the prompt",
    )


def _check_noise_levels(config: ConfigDict) -> None:
    """That of sampling, where noise levels of a wide shift and many steps run together."""
    sampling = config.sampling
    most = schedules.TRAINED
    _require(config, "sampling.steps", lambda steps: steps <= most, f"at most {most}")
    try:
        make_sampler(sampling.sampler, sampling.steps, sampling.shift)
    except ValueError as error:
        raise UserError(
            f"config.sampling.shift={sampling.shift} with config.sampling.steps={sampling.steps}: "
            f"{error}"
        ) from error


def _pixels_in_a_latent(config: ConfigDict) -> int:
    """Along one side."""
    return make_model(config).codec.spatial


def check_fields(config: ConfigDict, origin: object) -> None:
    """Checks that a config read from somewhere has every field that there is today.

    Raises:
      UserError: naming one that it lacks.
    """
    for name in _fields(common.base()):
        value = config
        for part in name.split("."):
            if not isinstance(value, ConfigDict) or part not in value:
                raise UserError(
                    f"{origin} has no field {name}: it is damaged or of another version"
                )
            value = value[part]


def _fields(config: ConfigDict, prefix: str = "") -> Iterator[str]:
    for name, value in config.items():
        if isinstance(value, ConfigDict):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _require(config: ConfigDict, name: str, holds, words: str) -> None:
    value = config
    for part in name.split("."):
        value = value[part]
    if not holds(value):
        raise UserError(f"config.{name}={value}: it must be {words}")


def _is_float(name: str) -> bool:
    try:
        return jnp.issubdtype(jnp.dtype(name), jnp.floating)
    except TypeError:
        return False

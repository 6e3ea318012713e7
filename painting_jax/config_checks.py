"""Checks that the values of an experiment fit together, before anything is written."""

import functools
import math

import jax.numpy as jnp
from etils import epath
from jax.sharding import Mesh
from ml_collections import ConfigDict

from painting_jax import config as config_lib
from painting_jax.diffusion.samplers import make_sampler
from painting_jax.errors import UserError
from painting_jax.models.family import get_family
from painting_jax.sharding import cudnn
from painting_jax.sharding.rules import LOGICAL
from painting_jax.tasks.published import is_finetuned
from painting_jax.tasks.task import make_model

# On a CPU, XLA has no product of float16 matrices with a sum in float32.
_ON_CPU = ("float32", "bfloat16", "int8")


def check(config: ConfigDict, mesh: Mesh) -> None:
    """Checks every field, by itself and together with the others.

    Args:
      config: Config of the experiment.
      mesh: Mesh that it will run on.

    Raises:
      UserError: If training with a value is impossible. The message names the first such field.
    """
    config_lib.check_ranges(config)
    check_model(config)
    require = functools.partial(config_lib.require, config)
    require(
        "optimizer.warmup_steps",
        lambda steps: steps <= config.steps,
        f"at most config.steps={config.steps}",
    )
    if config.objective.structure:
        require(
            "objective.clean_prediction",
            bool,
            "True for objective.structure, which judges pictures",
        )
    droppable = get_family(config.model.family).droppable
    require("sampling.guide_on", set(droppable).issuperset, f"some of {', '.join(droppable)}")
    for name, probability in config.objective.drop.items():
        if probability and name not in droppable:
            raise UserError(
                f"config.objective.drop.{name}={probability}: it must be 0, as "
                f"{config.model.family} models drop {', '.join(droppable)} only"
            )
    if config.data.cached_latents:
        _check_cached(config)
    if is_finetuned(config):
        _check_published(config, on_cpu=mesh.devices.flat[0].platform == "cpu")
    elif config.lora.enabled:
        raise UserError(
            "config.lora.enabled=True: a LoRA adapts published weights, and "
            f"config.model.family={config.model.family} has none"
        )
    else:
        require(
            "data.buckets",
            lambda aspects: not aspects,
            f"(): models of the family {config.model.family} are trained and paint in one shape",
        )
        for name, default in config_lib.base().pretrained.items():
            require(
                f"pretrained.{name}",
                lambda value, default=default: value == default,  # type: ignore[misc]
                f"{default!r}: no weights are published of the family {config.model.family}",
            )
    _check_attention(config, mesh)
    _check_mesh(config, mesh)
    shards = mesh.shape["data"] * mesh.shape["fsdp"]
    parts = config.optimizer.gradient_accumulation_steps
    require(
        "data.batch_size",
        lambda size: size % (shards * parts) == 0,
        f"a multiple of {shards} devices along data and fsdp times {parts} accumulation steps",
    )


def _check_attention(config: ConfigDict, mesh: Mesh) -> None:
    if config.model.attention != "cudnn":
        return
    kind, width = mesh.devices.flat[0].device_kind, config.model.dim // config.model.heads
    dtype = jnp.dtype(config.model.dtype)
    if not cudnn.takes(kind, dtype, width):
        raise UserError(
            f"config.model.attention=cudnn: its kernels are for NVIDIA GPUs, in half precision, "
            f"with heads of up to {cudnn.WIDEST} channels, a multiple of 8; these are {width} "
            f"channels in {dtype} on {kind}: set config.model.attention=auto"
        )


def _check_cached(config: ConfigDict) -> None:
    require_published(config, "config.data.cached_latents=True")
    config_lib.require(
        config,
        "objective.augment",
        lambda share: share == 0,
        "0 with config.data.cached_latents, whose pictures have been encoded as they are",
    )


def require_published(config: ConfigDict, what: str) -> None:
    """Checks that an experiment finetunes published weights that it names.

    Args:
      config: Config of the experiment.
      what: What needs them, for the error.

    Raises:
      UserError: If it does not.
    """
    family = config.model.family
    if not is_finetuned(config):
        raise UserError(f"{what}: models of the family {family} train on pixels, without encoders")
    if not config.pretrained.path:
        raise UserError(f"{what}: name the weights that encode with config.pretrained.path")


def _check_mesh(config: ConfigDict, mesh: Mesh) -> None:
    """Checks that the mesh divides what is laid over it, so that no device repeats another's work.

    Tokens need not be divided: they are padded (`sharding.padding`).

    Raises:
      UserError: If it does not. The message names the sizes that would.
    """

    def require(axes: tuple[str, ...], count: int, what: str) -> None:
        size = math.prod(mesh.shape[axis] for axis in axes)
        if count % size:
            sizes = " ".join(f"config.mesh.{axis}={mesh.shape[axis]}" for axis in axes)
            fitting = [str(n) for n in range(1, min(count, mesh.size) + 1) if count % n == 0]
            raise UserError(
                f"{sizes}: {' x '.join(axes)} must divide the {count} {what}: {', '.join(fitting)}"
            )

    require(LOGICAL["heads"], config.model.heads, "heads")
    require(LOGICAL["heads"], config.model.ffn_dim, "channels of config.model.ffn_dim")
    require(LOGICAL["storage"], config.model.dim, "channels of config.model.dim")
    _check_ring(config, mesh)


def _check_ring(config: ConfigDict, mesh: Mesh) -> None:
    """Checks that the groups of the sequence axis are equal, and that each can share the heads."""
    devices, heads = mesh.shape["sequence"], config.model.heads // mesh.shape["tensor"]
    fitting = [n for n in range(1, devices + 1) if devices % n == 0 and heads % (devices // n) == 0]
    config_lib.require(
        config,
        "mesh.ring",
        lambda ring: ring == 0 or ring in fitting,
        f"{', '.join(map(str, fitting))}, or 0 for {fitting[0]}: {devices} devices along sequence "
        f"in equal groups, the devices of each a divisor of the {heads} heads",
    )


def check_model(config: ConfigDict) -> None:
    """Checks that the sizes of the model and of its videos fit together.

    Args:
      config: Config of an experiment or of a run, each of whose fields is in its range.

    Raises:
      UserError: If no model can have these sizes.
    """
    require = functools.partial(config_lib.require, config)
    heads = config.model.heads
    require("model.dim", lambda dim: dim % (2 * heads) == 0, f"a multiple of 2 x {heads} heads")
    codec = make_model(config).codec
    if is_finetuned(config):
        step = codec.temporal
        require(
            "data.frames",
            lambda frames: frames > step and frames % step == 1,
            f"{step}k+1, such as {step + 1}, {4 * step + 1} or {20 * step + 1}",
        )
        require("model.patch", lambda patch: tuple(patch) == (1, 2, 2), "(1, 2, 2)")
        require(
            "data.part_probability",
            lambda share: share == 0,
            "0 for published weights, which are not told the progress of a frame",
        )
        require("model.image_dim", lambda dim: dim % 2 == 0, "even, or 0 for none")
    elif config.model.pixel_layers:
        require(
            "model.patch",
            lambda patch: patch[0] == 1 and patch[1] % 2 == patch[2] % 2 == 0,
            "one frame and even sides for model.pixel_layers",
        )
    else:
        patch = config.model.patch[0]
        require("data.frames", lambda n: n % patch == 0, f"a multiple of the patch, {patch}")
    for name, patch in zip(("data.height", "data.width"), config.model.patch[1:], strict=True):
        require(
            name,
            lambda side, multiple=patch * codec.spatial: side % multiple == 0,  # type: ignore[misc]
            f"a multiple of the patch, {patch * codec.spatial}",
        )
    if config.model.family == "painting" and codec.spatial > 1:
        _check_full_size(config)


def _check_full_size(config: ConfigDict) -> None:
    """Checks what painting at the full size of a picture needs."""
    require, spatial = functools.partial(config_lib.require, config), config.model.spatial
    why = f"with model.spatial={spatial}"
    require("model.pixel_layers", lambda layers: layers > 0, f"above 0 {why}")
    require("objective.clean_prediction", bool, f"True {why}")
    require("data.buckets", lambda shapes: not shapes, f"empty {why}")
    for name, patch in zip(("data.height", "data.width"), config.model.patch[1:], strict=True):
        require(
            name,
            # A part of the picture is a whole number of quarters of patches.
            lambda side, tokens=patch * spatial: 2 * (side // tokens) % spatial == 0,  # type: ignore[misc]
            f"{patch * spatial} times a multiple of {spatial / 2:g} {why}",
        )


def read_run(workdir: epath.PathLike) -> ConfigDict:
    """The config of a run, from which its model can be made.

    Raises:
      UserError: If the folder is not a run, its config is damaged, or no model can have its sizes.
    """
    config = config_lib.read_config(workdir)
    try:
        check_model(config)
    except UserError as error:
        raise UserError(f"{epath.Path(workdir) / 'config.json'} is damaged: {error}") from None
    return config


def _check_published(config: ConfigDict, *, on_cpu: bool) -> None:
    require = functools.partial(config_lib.require, config)
    require(
        "objective.clean_prediction",
        lambda clean: not clean,
        "False: published models predict the velocity",
    )
    if on_cpu:
        words = f"{' or '.join(_ON_CPU)} on a CPU"
        require("pretrained.dtype", lambda dtype: dtype in _ON_CPU, words)
    if not config.lora.enabled:
        require(
            "pretrained.dtype",
            lambda dtype: dtype != "int8",
            "another type without config.lora.enabled: kernels are in int8 beside adapters alone",
        )
    _check_noise_levels(config)
    if config.pretrained.expert:
        require("objective.std", lambda std: std > 0, "above 0 to train an expert")
    require("sampling.guidance", lambda scale: scale >= 1, "at least 1, which is none")
    even = tuple(config_lib.base().sampling.pace)
    require(
        "sampling.pace",
        lambda pace: tuple(pace) == even,
        f"{even}: published models are not told the progress",
    )


def _check_noise_levels(config: ConfigDict) -> None:
    """Checks the noise levels of sampling: a large shift and many steps may make some coincide."""
    sampling = config.sampling
    try:
        make_sampler(sampling.sampler, sampling.steps, sampling.shift)
    except ValueError as error:
        raise UserError(
            f"config.sampling.shift={sampling.shift} with config.sampling.steps={sampling.steps}: "
            f"{error}"
        ) from error

"""The published model that a run finetunes: opens it, checks it, and verifies it on resumption."""

import dataclasses
import json

import jax
import jax.numpy as jnp
from etils import epath
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from painting_jax import json_text, media
from painting_jax.checkpoints import components, random_folder
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.checkpoints.lora_keys import targets
from painting_jax.config import read_config
from painting_jax.data.records import Records
from painting_jax.errors import UserError
from painting_jax.files import local, written_beside
from painting_jax.models import lora
from painting_jax.models.family import get_family
from painting_jax.tasks.task import abstract_network, make_model
from painting_jax.text.embeddings import fingerprint
from painting_jax.text.tokenizer import Tokenizer

# Names of two experts in sampling order, high noise first, as in config.pretrained.expert.
EXPERTS = ("high", "low")

_COMPONENTS = (
    "transformer",
    "vae",
    "text_encoder",
    "tokenizer",
    "image_encoder",
    "transformer_2",
)
_RANDOM = "pretrained"
_RANDOM_VOCABULARY = 512
_RANDOM_BOUNDARY = 0.9  # As in Wan2.2 I2V A14B.
_RECORD = "pretrained.json"


def is_finetuned(config: ConfigDict) -> bool:
    """Whether an experiment finetunes a published model."""
    return get_family(config.model.family).published


def is_quantised(config: ConfigDict) -> bool:
    """Whether the frozen kernels beside adapters are in int8 (`models.quantised_kernel`)."""
    return config.lora.enabled and config.pretrained.dtype == "int8"


def frozen_dtype(config: ConfigDict) -> jnp.dtype:
    """Type of the frozen weights, but for quantised kernels."""
    name = config.pretrained.dtype
    return jnp.dtype("bfloat16" if name == "int8" else name)


def check_base(config: ConfigDict) -> None:
    """Checks that the published model exists and fits the config.

    Raises:
      UserError: If the model does not exist, its sizes differ from those of the config, it cannot
        take pictures with these sizes, tensors are missing, unexpected or of a wrong shape, or the
        LoRA's targets or rank do not fit its layers.
    """
    model = make_model(config)
    if config.pretrained.path:
        folder = Folder.open(config.pretrained.path)
        sizes = _check_same_sizes(config, folder)
        model = dataclasses.replace(model, config=sizes, codec_config=folder.vae()[1])
        for name in _COMPONENTS:
            if name != "tokenizer" and folder.has(name):
                components.check(folder.source(name))
    try:
        _ = model.conditioning_frames
    except ValueError as error:
        raise UserError(
            f"config.model.in_channels={config.model.in_channels} with config.model.family="
            f"{config.model.family}: {error}"
        ) from error
    if config.lora.enabled:
        try:
            adapted = targets(config.lora.targets, lora.kernels(abstract_network(config, model)))
        except UserError as error:
            raise UserError(f"config.lora.targets: {error}") from error
        highest = min(min(shape[-2:]) for shape in adapted.values())
        if config.lora.rank > highest:
            raise UserError(
                f"config.lora.rank={config.lora.rank}: it must be at most {highest}, the smaller "
                "side of the smallest matrix named by config.lora.targets"
            )


def begin_base(config: ConfigDict, workdir: epath.PathLike, source: Records) -> None:
    """Records in a new run which model it finetunes. Writes a random model if none is named.

    Args:
      config: Config of the experiment.
      workdir: Folder of the run.
      source: Dataset whose captions the tokenizer of a random model is trained on.
    """
    workdir = epath.Path(workdir)
    record = workdir / _RECORD
    if jax.process_index() == 0 and not record.exists():
        if not config.pretrained.path and not (workdir / _RANDOM / random_folder.INDEX).exists():
            texts = [*(entry.prompt for entry in media.MEDIA.values()), *source.captions()]
            random_folder.write(
                workdir / _RANDOM,
                config.model.family,
                make_model(config).config,
                tokenizer=Tokenizer.train(texts, size=_RANDOM_VOCABULARY),
                seed=config.seed,
                shift=config.sampling.shift,
                boundary=_RANDOM_BOUNDARY if config.pretrained.expert else None,
            )
        content = {"fingerprint": _fingerprint(Folder.open(base_name(config, workdir)))}
        with written_beside(record) as beside:
            beside.write_text(json.dumps(content, indent=2))
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("the pretrained model is there")


def open_base(config: ConfigDict, workdir: epath.PathLike) -> Folder:
    """The published model of a run that has begun.

    Raises:
      UserError: If the model has changed since the run began.
    """
    folder = Folder.open(base_name(config, workdir))
    _check_same_sizes(config, folder)
    if _recorded(workdir) != _fingerprint(folder):
        raise UserError(
            f"{folder.name} holds other weights than when {workdir} was begun: put those back, or "
            "begin another run"
        )
    return folder


def check_same_base(config: ConfigDict, other: epath.PathLike) -> None:
    """Checks that another run finetuned the same published model.

    Args:
      config: Config of the experiment.
      other: Folder of the other run, whose config has the same model.

    Raises:
      UserError: If the other run finetuned another published model or expert.
    """
    path, their_config = config.pretrained.path, read_config(other)
    if not path or _recorded(other) != _fingerprint(Folder.open(path)):
        theirs = base_name(their_config, other)
        raise UserError(
            f"{other} trained other weights than these: set config.pretrained.path={theirs}, which "
            "it trained, or leave config.init_from out"
        )
    expert = their_config.pretrained.get("expert", "")
    if expert != config.pretrained.expert:
        raise UserError(
            f"{other} trained the expert for {expert} noise: set config.pretrained.expert="
            f"{expert}, or leave config.init_from out"
        )


def base_name(config: ConfigDict, workdir: epath.PathLike) -> str:
    """Path or hub id of the published model that a run finetunes.

    A random one of a run in a bucket is copied to this machine.
    """
    return config.pretrained.path or str(local(epath.Path(workdir) / _RANDOM))


def expert_index(config: ConfigDict) -> int:
    """Index of the trained transformer: that of the expert named in the config, else 0."""
    return EXPERTS.index(config.pretrained.expert or EXPERTS[0])


def sigma_range(config: ConfigDict, boundary: float | None) -> tuple[float, float]:
    """Noise levels at which the trained transformer samples.

    Args:
      config: Config of the experiment.
      boundary: Noise level between two experts, see `Folder`; None for a single transformer.
    """
    if boundary is None:
        return 0.0, 1.0
    return (boundary, 1.0) if config.pretrained.expert == EXPERTS[0] else (0.0, boundary)


def _check_expert(config: ConfigDict, folder: Folder) -> None:
    name, two = config.pretrained.expert, folder.boundary is not None
    if two and not name:
        raise UserError(
            f"{folder.name} has two transformers, which are trained one at a time: set "
            "config.pretrained.expert=high or config.pretrained.expert=low"
        )
    if name and not two:
        raise UserError(
            f"config.pretrained.expert={name}: {folder.name} has one transformer, leave it empty"
        )


def _recorded(workdir: epath.PathLike) -> str:
    """Fingerprint that the published model had when a run began."""
    record = epath.Path(workdir) / _RECORD
    try:
        return json_text.read(record)["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{record} is missing or damaged: {error!r}") from None


def _check_same_sizes(config: ConfigDict, folder: Folder):
    """Checks the sizes of a folder's transformer against the config, and returns them."""
    _check_expert(config, folder)
    sizes = folder.experts()[0].config
    for name, ours in dataclasses.asdict(make_model(config).config).items():
        theirs = getattr(sizes, name)
        if name in config.model and ours != theirs:
            raise UserError(
                f"config.model.{name}={ours}: the transformer in {folder.name} has {theirs}; "
                "take the config of this model, or the model of this config"
            )
    name, model = config.model.family, make_model(config)
    ours = model.codec.spatial
    theirs = dataclasses.replace(model, codec_config=folder.vae()[1]).codec.spatial
    if ours != theirs:
        raise UserError(
            f"config.model.family={name}: the autoencoder in {folder.name} makes latents of "
            f"{theirs} pixels a side, that of {name} of {ours}"
        )
    if sizes.image_dim and not folder.has("image_encoder"):
        raise UserError(f"{folder.name} lacks the image_encoder that its transformer needs: add it")
    return sizes


def _fingerprint(folder: Folder) -> str:
    return fingerprint([folder.folder(name) for name in _COMPONENTS if folder.has(name)])

"""The published model that a run trains further: found, checked, and known again."""

import json

import jax
from etils import epath
from flax import nnx
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from painting_jax import media
from painting_jax.checkpoints import components, random_folder
from painting_jax.checkpoints.diffusers_folder import Folder
from painting_jax.checkpoints.lora_keys import targets
from painting_jax.data.pipeline import Source
from painting_jax.errors import UserError
from painting_jax.models import lora
from painting_jax.models.wan import vae as wan_vae
from painting_jax.models.wan.conditioning import image_conditioning
from painting_jax.models.wan.transformer import WanConfig, WanTransformer
from painting_jax.models.wan.vae import WanVAE
from painting_jax.tasks.expert import check_expert
from painting_jax.text.embeddings import fingerprint
from painting_jax.text.tokenizer import Tokenizer
from painting_jax.training.checkpoint import read_config

# Sizes that a config tells, so that its other values can be checked without the weights.
_SIZES = ("dim", "layers", "heads", "ffn_dim", "text_dim", "in_channels", "image_dim")
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
_RANDOM_BOUNDARY = 0.9  # as of Wan2.2 I2V A14B
_RECORD = "pretrained.json"


def check_base(config: ConfigDict) -> None:
    """Checks that a published model is there and is the one that the config tells of.

    Raises:
      UserError: if it is not, takes no pictures of these sizes, tensors of it are missing,
        unexpected or misshapen, or there is no layer for a LoRA or none of its rank.
    """
    transformer, vae = config_sizes(config), wan_vae.SIZES[config.pretrained.family]
    if config.pretrained.path:
        folder = Folder.open(config.pretrained.path)
        transformer, (_, vae) = _opened(config, folder), folder.vae()
        for name in _COMPONENTS:
            if name != "tokenizer" and folder.has(name):
                components.check(folder.source(name))
    try:
        image_conditioning(transformer, nnx.eval_shape(lambda: WanVAE(vae)))
    except ValueError as error:
        raise UserError(
            f"config.model.in_channels={config.model.in_channels} with config.pretrained.family="
            f"{config.pretrained.family}: {error}"
        ) from error
    if config.lora.enabled:
        bare = nnx.eval_shape(lambda: WanTransformer(transformer, rngs=nnx.Rngs(0)))
        try:
            adapted = targets(config.lora.targets, lora.kernels(bare))
        except UserError as error:
            raise UserError(f"config.lora.targets: {error}") from error
        most = min(min(shape[-2:]) for shape in adapted.values())
        if config.lora.rank > most:
            raise UserError(
                f"config.lora.rank={config.lora.rank}: it must be at most {most}, the smaller side "
                "of the smallest matrix that config.lora.targets mean"
            )


def begin_base(config: ConfigDict, workdir: epath.PathLike, source: Source) -> None:
    """Notes in a new run what it trains further, having made that up if there is none.

    Args:
      config: of the experiment.
      workdir: of the run.
      source: processes whose captions the tokenizer of a random model is learned from.
    """
    workdir = epath.Path(workdir)
    record = workdir / _RECORD
    if jax.process_index() == 0 and not record.exists():
        if not config.pretrained.path and not (workdir / _RANDOM).exists():
            prompts = [entry.prompt for entry in media.MEDIA.values()]
            random_folder.write(
                workdir / _RANDOM,
                config.pretrained.family,
                config_sizes(config),
                tokenizer=Tokenizer.train([*prompts, *source.captions()], size=_RANDOM_VOCABULARY),
                seed=config.seed,
                shift=config.sampling.shift,
                boundary=_RANDOM_BOUNDARY if config.pretrained.expert else None,
            )
        content = {"fingerprint": _fingerprint(Folder.open(base_name(config, workdir)))}
        beside = workdir / f"{_RECORD}.beside"
        beside.write_text(json.dumps(content, indent=2))
        beside.rename(record)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("the pretrained model is there")


def open_base(config: ConfigDict, workdir: epath.PathLike) -> Folder:
    """The published model of a run that has begun.

    Raises:
      UserError: if it is not what it was then.
    """
    folder = Folder.open(base_name(config, workdir))
    _opened(config, folder)
    if _recorded(workdir) != _fingerprint(folder):
        raise UserError(
            f"{folder.name} holds other weights than when {workdir} was begun: put those back, or "
            "begin another run"
        )
    return folder


def check_same_base(config: ConfigDict, other: epath.PathLike) -> None:
    """Checks that another run trained the same published model further.

    Args:
      config: of the experiment.
      other: workdir of that run, with a config of the same model.

    Raises:
      UserError: if it did not.
    """
    path, there = config.pretrained.path, read_config(other)
    if not path or _recorded(other) != _fingerprint(Folder.open(path)):
        theirs = base_name(there, other)
        raise UserError(
            f"{other} trained other weights than these: set config.pretrained.path={theirs}, which "
            "it trained, or leave config.init_from out"
        )
    expert = there.pretrained.get("expert", "")
    if expert != config.pretrained.expert:
        raise UserError(
            f"{other} trained the expert for {expert} noise: set config.pretrained.expert="
            f"{expert}, or leave config.init_from out"
        )


def base_name(config: ConfigDict, workdir: epath.PathLike) -> str:
    """Path or hub id of the published model of a run."""
    return config.pretrained.path or str(epath.Path(workdir) / _RANDOM)


def _recorded(workdir: epath.PathLike) -> str:
    """The fingerprint of the published model when a run was begun."""
    record = epath.Path(workdir) / _RECORD
    try:
        return json.loads(record.read_text())["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{record} is missing or damaged: {error!r}") from None


def _opened(config: ConfigDict, folder: Folder) -> WanConfig:
    """The sizes of a folder's transformer, found to be those of the config."""
    check_expert(config, folder)
    experts = folder.experts()
    for name in _SIZES:
        here, there = config.model[name], getattr(experts[0].config, name)
        if here != there:
            raise UserError(
                f"config.model.{name}={here}: the transformer in {folder.name} has {there}; "
                "take the config of this model, or the model of this config"
            )
    _, vae = folder.vae()
    family = config.pretrained.family
    if _pixels(vae) != _pixels(wan_vae.SIZES[family]):
        raise UserError(
            f"config.pretrained.family={family}: the autoencoder in {folder.name} makes latents of "
            f"{_pixels(vae)} pixels a side, that of {family} of {_pixels(wan_vae.SIZES[family])}"
        )
    if config.model.image_dim and not folder.has("image_encoder"):
        raise UserError(f"{folder.name} lacks the image_encoder that its transformer needs: add it")
    return experts[0].config


def config_sizes(config: ConfigDict) -> WanConfig:
    """The sizes of the transformer that a config tells of."""
    return WanConfig(
        **{name: config.model[name] for name in _SIZES},
        out_channels=wan_vae.SIZES[config.pretrained.family].latent_channels,
        patch=tuple(config.model.patch),
    )


def _pixels(vae: wan_vae.WanVAEConfig) -> int:
    """Along one side of a latent."""
    return vae.patch * 2 ** (len(vae.widths) - 1)


def _fingerprint(folder: Folder) -> str:
    return fingerprint([folder.folder(name) for name in _COMPONENTS if folder.has(name)])

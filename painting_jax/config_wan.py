"""The shared config of the experiments that finetune published Wan models."""

from ml_collections import ConfigDict

from painting_jax import config as config_lib
from painting_jax.models.wan.transformer import SIZES

# Buckets of the usual canvases. Between neighbours, a crop takes a tenth of a picture at most.
ASPECTS = ("16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16")
# Size of the videos in `tiny` experiments, which run on a laptop.
_TINY_FRAMES, _TINY_SIDE = 9, 64


def base(
    size: str,
    family: str,
    path: str,
    *,
    frames: int,
    height: int,
    width: int,
    shift: float,
    arg: ConfigDict,
) -> ConfigDict:
    """The config of an experiment that finetunes a published Wan model.

    Args:
      size: Name of the transformer in `models.wan.transformer.SIZES`.
      family: Name of the model family in `models.family.FAMILIES`.
      path: Hub id of the weights.
      frames: Frames of the videos that the model was published for.
      height: Height of those videos in pixels.
      width: Width of those videos in pixels.
      shift: Shift of the noise levels, in training and in sampling.
      arg: Arguments of the experiment, as `parse_arg` returns them.
    """
    config = config_lib.base()
    config.steps = arg.steps
    config.model.family = family
    config.pretrained.path = path
    config.lora.enabled = arg.lora
    config.lora.rank = arg.rank

    wan = SIZES[size]
    model = config.model
    model.dim, model.layers, model.heads, model.ffn_dim = (
        wan.dim,
        wan.layers,
        wan.heads,
        wan.ffn_dim,
    )
    model.patch = wan.patch
    model.text_dim = wan.text_dim
    model.in_channels, model.image_dim = wan.in_channels, wan.image_dim
    model.pixel_layers = 0
    model.dtype = "bfloat16"
    model.remat = "full"

    data = config.data
    data.data_dir = "data"
    data.batch_size = 1
    data.frames, data.height, data.width = frames, height, width
    data.buckets = ASPECTS
    data.text_length = 512
    # In use, the medium is often given without a caption.
    data.caption_probability = 0.5
    data.part_probability = 0.0
    # Encoding takes seconds a clip. Latents are made once, of the pictures as they are.
    data.cached_latents = True
    config.objective.augment = 0.0

    config.objective.clean_prediction = False
    config.objective.huber = config.objective.structure = 0.0
    config.objective.shift = shift
    # Guidance acts on the prompt. The picture is always given; medium and segments never are.
    drop = config.objective.drop
    drop.reference = drop.medium = drop.segments = 0.0

    optimizer = config.optimizer
    optimizer.learning_rate = 1e-4 if arg.lora else 1e-5
    optimizer.warmup_steps = min(100, arg.steps // 10)
    optimizer.b2 = 0.999
    optimizer.ema_decay = 0.99

    sampling = config.sampling
    sampling.sampler = "unipc"
    sampling.steps = 20
    sampling.shift = shift
    sampling.guidance = 5.0
    sampling.guide_on = ("text",)

    config.log.every = 20
    config.log.samples = 1
    if arg.tiny:
        _shrink(config)
    return config


def parse_arg(arg: str | None) -> ConfigDict:
    """Parses the arguments of these experiments.

    `lora` trains only LoRA adapters, and `rank` is their rank. `steps` is the number of steps of
    the run. `tiny` selects a small model with the same parts and random weights, to try everything
    out in a minute on two CPU cores.
    """
    return config_lib.parse_arg(arg, lora=False, rank=32, steps=2000, tiny=False)


def _shrink(config: ConfigDict) -> None:
    """Shrinks every size of the model, but keeps all of its parts."""
    config.pretrained.path = ""
    config.pretrained.dtype = "float32"
    model, data = config.model, config.data
    model.dim, model.layers, model.heads, model.ffn_dim = 48, 2, 2, 96
    model.text_dim = 32
    model.image_dim = 32 if model.image_dim else 0
    model.dtype = "float32"
    data.batch_size = 2
    data.frames, data.height, data.width = _TINY_FRAMES, _TINY_SIDE, _TINY_SIDE
    # Random weights encode in no time.
    data.cached_latents = False
    config.objective.augment = config_lib.base().objective.augment
    config.steps = min(config.steps, 50)
    config.optimizer.learning_rate = 1e-2
    config.optimizer.warmup_steps = min(5, config.steps // 10)
    config.sampling.steps = 3
    config.checkpoint.every = 25
    config.log.every = 10
    config.log.samples_every = config.log.eval_every = 50

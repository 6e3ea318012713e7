"""The fields of an experiment: defaults, ranges and meaning, in one table.

`FIELDS` gives the default config (`base`), which every experiment file starts from; the checks of
single values, of an experiment (`check_ranges`) and of a run's config.json (`from_json`);
`train --help_config` (`listing`); and docs/config.md, which `python -m painting_jax.config` prints.
`config_checks` checks that values fit together.
"""

import dataclasses
import math
import operator
import os
import re
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NoReturn

from etils import epath
from ml_collections import ConfigDict

from painting_jax import json_text, remote_paths
from painting_jax.diffusion import schedules
from painting_jax.diffusion.flow_matching import NOISE_KINDS
from painting_jax.diffusion.samplers import SAMPLERS
from painting_jax.errors import UserError
from painting_jax.media import MEDIA
from painting_jax.models import remat
from painting_jax.models.family import FAMILIES
from painting_jax.sharding.attention import IMPLEMENTATIONS
from painting_jax.sharding.mesh import AXES


@dataclasses.dataclass(frozen=True)
class Range:
    """The values that a field may have.

    Attributes:
      words: Description of the range, as it follows "it must be".
      holds: Predicate: whether a value lies in the range.
    """

    words: str
    holds: Callable[[Any], bool]


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of an experiment.

    Attributes:
      name: Section and name, as in `data.batch_size`.
      default: Value in configs/demo.py. Values of other types are refused.
      range: Values that the field may have; None = all values of its type, which suffices for
        switches alone.
      meaning: Sentence for the documentation.
    """

    name: str
    default: Any
    range: Range | None
    meaning: str

    def must_be(self, value: Any) -> str:
        """Description of the valid values, as it follows "it must be", if this is none; else ""."""
        of_type = _is_like(value, self.default)
        if of_type and (self.range is None or self.range.holds(value)):
            return ""
        words = [] if of_type and self.range else [_type_words(self.default)]
        return ", ".join([*words, *([self.range.words] if self.range else [])])


def _is_like(value: Any, default: Any) -> bool:
    """Whether a value has the type of a default. A whole number is a number, True is neither."""
    if isinstance(default, tuple):
        part = default[0] if default else ""
        return isinstance(value, tuple | list) and all(_is_like(one, part) for one in value)
    if isinstance(value, bool) or isinstance(default, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    return isinstance(value, int | float if isinstance(default, float) else type(default))


def _type_words(default: Any) -> str:
    if isinstance(default, tuple):
        return f"a list of {_LIST_WORDS[type(default[0]) if default else str]}"
    return _TYPE_WORDS[type(default)]


_TYPE_WORDS = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}
_LIST_WORDS = {int: "whole numbers", float: "numbers", str: "texts"}


# Largest value of a counter: steps are counted in 32 bits.
_MOST = 2**31 - 1
_MOST_QUOTED = 80  # Characters of a value in an error message.


def _at_least(least: int, most: int = _MOST) -> Range:
    return Range(f"from {least} to {most}", lambda value: least <= value <= most)


def _one_of(names: Collection[str]) -> Range:
    *first, last = filter(None, names)
    words = f"{', '.join(first)} or {last}" + (", or empty" if "" in names else "")
    return Range(words, lambda value: value in names)


def _is_path(text: str) -> bool:
    """Whether a text can name a file: the file system takes its characters and its length."""
    try:
        return 0 < len(os.fsencode(text)) < 4096 and "\0" not in text
    except UnicodeEncodeError:
        return False


def _is_local(text: str) -> bool:
    return not text or (_is_path(text) and not remote_paths.is_remote(text))


def _are_layers(names: Collection[str]) -> bool:
    return 0 < len(names) == len(set(names)) and all(
        re.fullmatch(r"\w+(\.\w+)*", name, re.ASCII) for name in names
    )


# Beyond these, numbers have no use, and float32 loses them.
_SMALL, _LARGE = 1e-30, 1e6

_SEED = Range(f"from 0 to {_MOST}", lambda value: 0 <= value <= _MOST)
_SHARE = Range("from 0 to 1", lambda value: 0 <= value <= 1)
_BELOW_ONE = Range("from 0 to below 1", lambda value: 0 <= value < 1)
_NUMBER = Range("a number, at most 1e6 from 0", lambda value: abs(value) <= _LARGE)
_GUIDANCE = Range("a number, 1 for none, at most 1000 from 0", lambda value: abs(value) <= 1000)
_NOT_NEGATIVE = Range("a number, at least 0, at most 1e6", lambda value: 0 <= value <= _LARGE)
_POSITIVE = Range("a number above 0, from 1e-30 to 1e6", lambda value: _SMALL <= value <= _LARGE)
_NORM = Range(
    "above 0, from 1e-30 to 1e30; inf clips nothing",
    lambda value: _SMALL <= value <= 1e30 or value == math.inf,
)
_FIRMNESS = Range("from 0.01 to 100", lambda value: 0.01 <= value <= 100)
_DEVICES = Range("from 1 to 1048576, or -1", lambda value: 1 <= value <= 2**20 or value == -1)
_PATCH = Range(
    "three sizes, each from 1 to 1024",
    lambda value: len(value) == 3 and all(1 <= size <= 1024 for size in value),
)
_STEPS = _at_least(1, schedules.TRAINED)
_DATA_DIR = Range("the path of a folder", _is_path)
_DATASET = Range(
    "BUILDER or BUILDER/NAME, or empty",
    lambda name: bool(re.fullmatch(r"(\w[\w.-]*(/\w[\w.-]*)*)?", name)),
)
_START = Range(
    "a local path, gs://BUCKET/FOLDER, or a LoRA's hub id, or empty",
    lambda text: _is_local(text) or (_is_path(text) and remote_paths.in_bucket(text)),
)
_PRETRAINED = Range("a local path, or a hub id, or empty", _is_local)
_LAYERS = Range("the ends of some layers' names, each once, such as ('to_q',)", _are_layers)


def _are_aspects(values: Any) -> bool:
    if not isinstance(values, tuple | list):
        return False
    matches = [re.fullmatch(r"([1-9]\d{0,3}):([1-9]\d{0,3})", str(value)) for value in values]
    return all(match and 1 / 4 <= int(match[1]) / int(match[2]) <= 4 for match in matches)


_ASPECTS = Range(
    "aspect ratios from 1:4 to 4:1, such as ('16:9', '1:1', '9:16'), or none, ()", _are_aspects
)
_DTYPES = ("float32", "bfloat16", "float16")
_DTYPE = _one_of(_DTYPES)
_PACE = Range(
    "one or more rising numbers between 0 and 1",
    lambda shares: bool(shares) and all(map(operator.lt, (0, *shares), (*shares, 1))),
)
_CONDITIONS = ("medium", "reference", "segments", "text")
_MEDIA = Range(
    "media of the registry, each once",
    lambda names: len(set(names)) == len(names) > 0 and MEDIA.keys() >= set(names),
)
_GUIDED = Range(
    f"some of {', '.join(_CONDITIONS)}, each once",
    lambda names: len(set(names)) == len(names) and set(names) <= set(_CONDITIONS),
)

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_FEED_FORWARD = ("ffn.net.0.proj", "ffn.net.2")

# The defaults are those of configs/demo.py: about two million parameters, eight minutes on two CPU
# cores. It takes many small steps: Adam moves a parameter by about the learning rate per step at
# most, and the gates of the pixel head have to move far.
FIELDS = (
    Field("seed", 0, _SEED, "Seed of the parameters, the noise and the order of the data."),
    Field("steps", 1400, _at_least(1), "Optimizer steps of the run."),
    Field(
        "init_from",
        "",
        _START,
        "Workdir of a run, from whose averaged parameters and tokenizer this run starts; "
        "a LoRA run also takes a LoRA's file or hub id.",
    ),
    Field("data.data_dir", "runs/data", _DATA_DIR, "Folder that `prepare` wrote its data sets to."),
    Field(
        "data.dataset",
        "",
        _DATASET,
        "Data set in that folder, BUILDER/NAME; empty if it has only one.",
    ),
    Field(
        "data.batch_size",
        4,
        _at_least(1, 2**20),
        "Global batch size, over all devices and processes.",
    ),
    Field("data.frames", 9, _at_least(2, 4096), "Frames of a video that the model sees."),
    Field("data.height", 64, _at_least(1, 8192), "Height of a frame in pixels."),
    Field("data.width", 64, _at_least(1, 8192), "Width of a frame in pixels."),
    Field(
        "data.buckets",
        (),
        _ASPECTS,
        "Aspect ratios, width to height. Each process is trained at the nearest one, with about as "
        "many pixels as `data.height` x `data.width`; `()` crops all to that shape.",
    ),
    Field(
        "data.allow_upscaling",
        False,
        None,
        "Train on processes stored with fewer pixels than they are trained at.",
    ),
    Field(
        "data.cached_latents",
        False,
        None,
        "Train on the latents that `prepare --cache_latents` wrote to `data.data_dir`.",
    ),
    Field("data.text_length", 24, _at_least(1, 4096), "Tokens that a caption is padded or cut to."),
    Field(
        "data.variant_probability",
        0.2,
        _SHARE,
        "Probability that the reference is a stored variant (photo, line art).",
    ),
    Field(
        "data.caption_probability",
        1.0,
        _SHARE,
        "Probability that the prompt has the caption besides the medium.",
    ),
    Field(
        "data.part_probability",
        0.3,
        _SHARE,
        "Probability that an example is a part of a process; half of these go on from a given "
        "canvas. 0 for models that do not get the progress of a frame.",
    ),
    Field("model.family", "painting", _one_of(FAMILIES), "Family of the model."),
    Field("model.dim", 128, _at_least(2, 65536), "Width of the tokens."),
    Field("model.layers", 3, _at_least(1, 1024), "Transformer blocks."),
    Field("model.heads", 4, _at_least(1, 1024), "Attention heads."),
    Field("model.ffn_dim", 512, _at_least(1, 2**20), "Hidden width of the feed-forward layers."),
    Field(
        "model.patch",
        (1, 16, 16),
        _PATCH,
        "Size of a token along time, height and width, in latents.",
    ),
    Field(
        "model.media",
        tuple(MEDIA),
        _MEDIA,
        "Media that the model knows, in the order of the rows of its tables.",
    ),
    Field("model.vocabulary", 512, _at_least(2, 2**20), "Size of the vocabulary in tokens."),
    Field(
        "model.text_dim",
        64,
        _at_least(1, 65536),
        "Width of the text embeddings: learned ones, or those of the published text encoder.",
    ),
    Field(
        "model.pixel_layers",
        5,
        _at_least(0, 64),
        "Layers of paint that a token writes in picture space; 0 = no pixel head.",
    ),
    Field(
        "model.reference_everywhere",
        True,
        None,
        "Condition every frame on the reference; False conditions only the first frame.",
    ),
    Field(
        "model.mark_other_looks",
        True,
        None,
        "Flag references in another look than the painting, for pixel models.",
    ),
    Field(
        "model.direction_guides",
        True,
        None,
        "Input of the pixel head: the position along the direction that the text gives to strokes.",
    ),
    Field(
        "model.behind_guides",
        True,
        None,
        "Input of the pixel head: what lies behind the regions. It is painted, and covered later.",
    ),
    Field(
        "model.canvas_guides",
        True,
        None,
        "Input of a pixel model: a given canvas, from which a process goes on.",
    ),
    Field(
        "model.spatial",
        1,
        _at_least(1, 16),
        "Factor by which the picture is larger than what the tokens of a pixel model see. "
        "Above 1, the head is also trained on parts of the picture at its full size.",
    ),
    Field(
        "model.in_channels",
        0,
        _at_least(0, 4096),
        "Input channels of a published transformer, the image condition included.",
    ),
    Field(
        "model.image_dim",
        0,
        _at_least(0, 65536),
        "Width of the image embeddings of a published transformer; 0 = none.",
    ),
    Field(
        "model.dtype",
        "float32",
        _DTYPE,
        "Dtype of the computation; trained parameters are float32.",
    ),
    Field(
        "model.remat",
        "none",
        _one_of(remat.POLICIES),
        "What the blocks keep for the backward pass; they compute the rest again: "
        + ", ".join(f"{name} ({policy.kept})" for name, policy in remat.POLICIES.items())
        + ".",
    ),
    Field(
        "model.attention",
        "auto",
        _one_of(IMPLEMENTATIONS),
        "How attention is computed: "
        + ", ".join(f"{name} ({meaning})" for name, meaning in IMPLEMENTATIONS.items())
        + ".",
    ),
    Field(
        "pretrained.path",
        "",
        _PRETRAINED,
        "Folder in diffusers' layout, or hub id; empty for random weights, to try things out.",
    ),
    Field(
        "pretrained.expert",
        "",
        _one_of(("", "high", "low")),
        "Which transformer to train, by its noise levels; empty if the model has only one.",
    ),
    Field(
        "pretrained.dtype",
        "bfloat16",
        _one_of((*_DTYPES, "int8")),
        "Dtype of the frozen weights. int8 is for kernels beside adapters; the rest is bfloat16.",
    ),
    Field("lora.enabled", False, None, "Train only adapters; False trains the whole transformer."),
    Field("lora.rank", 32, _at_least(1, 65536), "Rank of the adapters."),
    Field(
        "lora.targets",
        _ATTENTION + _FEED_FORWARD,
        _LAYERS,
        "Linear layers that get an adapter, by the ends of their names in diffusers.",
    ),
    Field(
        "objective.clean_prediction",
        True,
        None,
        "Predict the clean sample; False predicts the velocity, as Wan does.",
    ),
    Field(
        "objective.noise_distribution",
        "logit_normal",
        _one_of(NOISE_KINDS),
        "Distribution of the noise levels in training.",
    ),
    Field("objective.mean", 0.0, _NUMBER, "Mean of the normal distribution before the sigmoid."),
    Field("objective.std", 1.0, _NOT_NEGATIVE, "Standard deviation of that distribution."),
    Field(
        "objective.shift",
        12.0,
        _POSITIVE,
        "Shift of the noise levels towards noise in training; Wan has 3 at 480p and 5 at 720p.",
    ),
    Field(
        "objective.huber",
        0.2,
        _NOT_NEGATIVE,
        "Threshold above which an error counts linearly instead of squared; 0 squares all errors.",
    ),
    Field(
        "objective.structure",
        1.0,
        _NOT_NEGATIVE,
        "Weight of the loss on differences in edges, in picture space only; 0 = none.",
    ),
    Field(
        "objective.augment",
        0.2,
        _SHARE,
        "Probability that the reference gets another look, such as grey or line art.",
    ),
    Field("objective.drop.reference", 0.05, _SHARE, "Probability of dropping the reference."),
    Field("objective.drop.medium", 0.1, _SHARE, "Probability of dropping the medium."),
    Field("objective.drop.text", 0.1, _SHARE, "Probability of dropping the text."),
    Field("objective.drop.segments", 0.1, _SHARE, "Probability of dropping the segments."),
    Field("optimizer.learning_rate", 2e-3, _POSITIVE, "Learning rate after the warm-up."),
    Field("optimizer.warmup_steps", 50, _at_least(0), "Steps of the linear warm-up."),
    Field(
        "optimizer.end_learning_rate_fraction",
        0.05,
        _SHARE,
        "Fraction of the learning rate that the cosine schedule ends at.",
    ),
    Field("optimizer.b1", 0.9, _BELOW_ONE, "Decay rate of Adam's first moment."),
    Field("optimizer.b2", 0.99, _BELOW_ONE, "Decay rate of Adam's second moment."),
    Field("optimizer.weight_decay", 0.01, _NOT_NEGATIVE, "Weight decay of the matrices."),
    Field("optimizer.clip_norm", 1.0, _NORM, "Largest norm of the whole gradient."),
    Field(
        "optimizer.ema_decay", 0.995, _SHARE, "Decay of the averaged parameters, which samples use."
    ),
    Field(
        "optimizer.ema",
        True,
        None,
        "Keep the average. If False, samples use the parameters, and memory holds one copy less.",
    ),
    Field(
        "optimizer.momentum_dtype",
        "float32",
        _DTYPE,
        "Dtype of Adam's first moment. The second is float32: less would lose its changes.",
    ),
    Field(
        "optimizer.gradient_accumulation_steps",
        1,
        _at_least(1, 2**20),
        "Number of parts that a batch is split into, to save memory.",
    ),
    Field("sampling.sampler", "rectified_flow", _one_of(SAMPLERS), "Kind of sampler."),
    Field("sampling.steps", 4, _STEPS, "Sampling steps."),
    Field(
        "sampling.shift", 20.0, _POSITIVE, "Shift of the noise levels towards noise in sampling."
    ),
    Field(
        "sampling.firmness",
        1.5,
        _FIRMNESS,
        "Sharpness of the choice among paints in picture space; 1 = their mean.",
    ),
    Field("sampling.guidance", 1.0, _GUIDANCE, "Scale of classifier-free guidance."),
    Field(
        "sampling.guide_on", ("medium", "text"), _GUIDED, "Conditions that guidance strengthens."
    ),
    Field(
        "sampling.pace",
        (0.5,),
        _PACE,
        "Progress that a model in picture space gets as input at even shares of the time, without "
        "both ends. `(0.1, 0.3, 0.5)` slows a model that would be ahead: after a quarter of the "
        "time, it gets a progress of a tenth.",
    ),
    *(
        Field(f"mesh.{axis}", -1 if axis == "data" else 1, _DEVICES, meaning)
        for axis, meaning in AXES.items()
    ),
    Field(
        "mesh.ring",
        0,
        _at_least(0, 2**20),
        "Number of groups of the sequence axis that pass keys and values round; the devices of a "
        "group share the heads. 0 = as few as the heads allow.",
    ),
    Field("checkpoint.every", 250, _at_least(1), "Steps between checkpoints."),
    Field("checkpoint.keep", 2, _at_least(1), "Number of latest checkpoints that are kept."),
    Field("log.every", 50, _at_least(1), "Steps between reports of the metrics."),
    Field("log.samples_every", 500, _at_least(1), "Steps between contact sheets of samples."),
    Field("log.samples", 4, _at_least(1, 256), "Number of held-out pictures on a contact sheet."),
    Field("log.eval_every", 500, _at_least(1), "Steps between measurements of the held-out loss."),
    Field("profile_steps", 0, _at_least(0), "Number of steps to profile; 0 = none."),
)

_NAMES = frozenset(field.name for field in FIELDS)

# Titles of the sections: first name of a field -> title.
_SECTIONS = {
    "": "The run",
    "data": "Data",
    "model": "Model",
    "pretrained": "Published weights to finetune",
    "lora": "LoRA adapters of a published transformer",
    "objective": "Objective",
    "optimizer": "AdamW",
    "sampling": "Sampling: defaults of generate and evaluate",
    "mesh": "Device mesh",
    "checkpoint": "Checkpoints",
    "log": "Logging",
}

# Fields and sections that may change when a run is resumed. They affect how it runs, but not what
# it computes.
OPERATIONAL = (
    "mesh",
    "checkpoint",
    "log",
    "profile_steps",
    "data.allow_upscaling",
    "model.remat",
    "model.attention",
)

# Old names of fields -> current names.
RENAMED = {
    "objective.law": "objective.noise_distribution",
    "optimizer.final": "optimizer.end_learning_rate_fraction",
    "optimizer.accumulate": "optimizer.gradient_accumulation_steps",
    "objective.reference_everywhere": "model.reference_everywhere",
    "pretrained.family": "model.family",
}

# Current name of a field -> its old values -> current values.
_REVALUED: dict[str, dict[Any, Any]] = {
    "model.family": {"": "painting"},
    "model.remat": {True: "full", False: "none"},
}

# Media of runs that did not store their media, in the order of the registry at that time.
_FIRST_MEDIA = (
    "acrylic", "oil", "watercolor", "pencil", "colored_pencil", "charcoal", "ink", "pastel",
    "digital", "loomis_portrait",
)  # fmt: skip

# Fields that configs of earlier versions lack -> function from their other fields to the value.
_ADDED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "model.media": lambda run: _FIRST_MEDIA,
    "sampling.sampler": lambda run: (
        "rectified_flow" if run["model.family"] == "painting" else "unipc"
    ),
    "model.mark_other_looks": lambda run: False,
    "model.direction_guides": lambda run: False,
    "model.behind_guides": lambda run: False,
    "model.canvas_guides": lambda run: False,
    "model.spatial": lambda run: 1,
    "data.part_probability": lambda run: 0.0,
    "log.eval_every": lambda run: run["log.samples_every"],
    "profile_steps": lambda run: 0,
    "data.buckets": lambda run: (),
    "data.allow_upscaling": lambda run: False,
    "data.cached_latents": lambda run: False,
    "model.attention": lambda run: "auto",
    "optimizer.ema": lambda run: True,
    "optimizer.momentum_dtype": lambda run: "float32",
    "mesh.ring": lambda run: 0,
    "sampling.pace": lambda run: (0.5,),
}


def base() -> ConfigDict:
    """The default config. It has every field, and no others can be added."""
    return _nested({field.name: field.default for field in FIELDS}).lock()


def get_config(arg: str | None = None) -> ConfigDict:
    """The default config, for use as an experiment file. It takes no arguments."""
    parse_arg(arg)
    return base()


def parse_arg(arg: str | None, **defaults) -> ConfigDict:
    """Parses the part of `--config=file.py:runlocal,res=128` after the colon.

    Args:
      arg: Comma-separated names (switches to turn on) and name=value pairs, or None.
      **defaults: Known names with their defaults. Values are converted to the default's type.

    Returns:
      A ConfigDict with all names.

    Raises:
      ValueError: If a name is unknown, or has no value and is not a switch.
    """
    parsed = ConfigDict(defaults)
    for part in filter(None, (arg or "").split(",")):
        name, equals, value = part.partition("=")
        if name not in defaults:
            known = ", ".join(defaults) or "none"
            raise ValueError(f"unknown config argument {name!r}: known are {known}")
        kind = type(defaults[name])
        if not equals and kind is not bool:
            raise ValueError(f"config argument {name} needs a value: {name}={defaults[name]}")
        if not equals:
            parsed[name] = True
        elif kind is bool:
            parsed[name] = value.lower() in ("1", "true", "yes")
        else:
            parsed[name] = kind(value)
    return parsed


def check_ranges(config: ConfigDict) -> None:
    """Checks the range of each field.

    Raises:
      UserError: If a value is outside its range. The message names the first such field.
    """
    for field in FIELDS:
        if right := field.must_be(_value(config, field.name)):
            _refuse(config, field.name, right)


def require(config: ConfigDict, name: str, holds: Callable[[Any], bool], words: str) -> None:
    """Checks one field.

    Args:
      config: Config of the experiment.
      name: Name of the field, with its section.
      holds: Predicate: whether a value is valid.
      words: Description of valid values, as it follows "it must be".

    Raises:
      UserError: If the field's value is invalid.
    """
    if not holds(_value(config, name)):
        _refuse(config, name, words)


def _refuse(config: ConfigDict, name: str, words: str) -> NoReturn:
    raise UserError(f"config.{name}={_quoted(_value(config, name))}: it must be {words}")


def _value(config: ConfigDict, name: str) -> Any:
    value = config
    for part in name.split("."):
        value = value[part]
    return value


def _quoted(value: Any) -> str:
    text = str(value)
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= _MOST_QUOTED else f"{text[:_MOST_QUOTED]}..."


def read_config(workdir: epath.PathLike) -> ConfigDict:
    """The config that a run was started with.

    Raises:
      UserError: If the folder is not a run, or its config is damaged.
    """
    path = epath.Path(workdir) / "config.json"
    if not path.exists():
        raise UserError(f"{workdir} is no training run: it has no config.json")
    try:
        return _of_run(json_text.read(path), path)
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from None


def added_since(workdir: epath.PathLike) -> dict[str, Any]:
    """Fields that a run's config.json lacks because it is older, with the values that they have.

    Raises:
      UserError: As `read_config`.
    """
    config = read_config(workdir)
    stored = {name for name, _ in _flat(json_text.read(epath.Path(workdir) / "config.json"))}
    stored |= {new for old, new in RENAMED.items() if old in stored}
    return {name: _value(config, name) for name in _ADDED if name not in stored}


def from_json(text: str | bytes, origin: object) -> ConfigDict:
    """Parses a run's config. Configs of earlier versions are converted to the current fields.

    Args:
      text: Content of the run's config.json. It may have more fields than an experiment.
      origin: Path that it was read from, for error messages.

    Raises:
      UserError: If the text is not a config, lacks a field, or has a field of a wrong type or out
        of its range.
    """
    try:
        return _of_run(json_text.parse(text), origin)
    except ValueError as error:
        raise UserError(f"{origin} is damaged: {error}") from None


def _of_run(parsed: Any, origin: object) -> ConfigDict:
    if not isinstance(parsed, dict):
        raise ValueError("it is not a JSON object")
    run = dict(_flat(parsed))
    for old, new in RENAMED.items():
        if old in run:
            run[new] = run.pop(old)
    for name, values in _REVALUED.items():
        if isinstance(run.get(name), str | bool):
            run[name] = values.get(run[name], run[name])
    missing = [field.name for field in FIELDS if field.name not in run]
    for name in missing:
        if name not in _ADDED:
            raise UserError(f"{origin} has no field {name}: it is damaged or of another version")
    run |= {name: _ADDED[name](run) for name in missing}
    for field in FIELDS:
        value = run[field.name]
        if right := field.must_be(value):
            raise UserError(f"{origin} has {field.name}={_quoted(value)}: it must be {right}")
        # JSON has lists alone, and writes 1.0 as it likes.
        run[field.name] = type(field.default)(value)
    return _nested(run)


def _flat(values: dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if "." in name:
            raise ValueError(f"no field is called {name!r}")
        if isinstance(value, dict) and f"{prefix}{name}" not in _NAMES:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _nested(values: Mapping[str, Any]) -> ConfigDict:
    config = ConfigDict()
    for name, value in values.items():
        *sections, last = name.split(".")
        place = config
        for section in sections:
            if section not in place:
                place[section] = ConfigDict()
            place = place[section]
        place[last] = value
    return config


def documentation() -> str:
    """Content of docs/config.md: a table of the fields of each section."""
    lines = [
        "# Fields of an experiment",
        "",
        "`--config.FIELD=VALUE` sets a field on the command line of `train`, as in",
        "`--config.data.batch_size=8`. The defaults are those of `configs/demo.py`. Fields that",
        f"begin with {', '.join(f'`{name}`' for name in OPERATIONAL)}",
        "may change when a run is resumed, `steps` may grow, and `data.data_dir` may have moved.",
        "`python -m painting_jax.config > docs/config.md` writes this page.",
    ]
    for section, title in _SECTIONS.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| Field | Default | Range | Meaning |",
            "|---|---|---|---|",
        ]
        for field in FIELDS:
            first, dot, _ = field.name.partition(".")
            if section == (first if dot else ""):
                lines.append(
                    f"| `{field.name}` | {_shown(field.default)} | {_range_words(field)} "
                    f"| {field.meaning} |"
                )
    return "\n".join(lines) + "\n"


def _range_words(field: Field) -> str:
    return field.range.words if field.range else _type_words(field.default)


def listing(config: ConfigDict) -> str:
    """The fields of an experiment with its values, for the command line."""
    lines = [
        "Fields of the experiment, with their values in this one. --config.FIELD=VALUE sets one."
    ]
    for section, title in _SECTIONS.items():
        lines += ["", title]
        for field in FIELDS:
            first, dot, _ = field.name.partition(".")
            if section == (first if dot else ""):
                words = f"{field.meaning} Range: {_range_words(field)}."
                lines.append(f"  --config.{field.name}={_value(config, field.name)}")
                lines += textwrap.wrap(words, 90, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value == "":
        return "empty"
    if value == ():
        return "`()`"
    if value == tuple(MEDIA):
        return "all of `painting_jax/media.py`"
    if isinstance(value, tuple):
        return " ".join(f"`{part}`" for part in value)
    return f"`{value}`"


if __name__ == "__main__":
    print(documentation(), end="")

"""The networks that measure, by the names that a user gives them.

A name is KIND=WEIGHTS, WEIGHTS a local folder or safetensors file, or an id on the Hugging Face hub
(`owner/repository`, with `@revision` behind it if need be):

  lpips=hed         the default: VGG16 as fine-tuned for edges, found in installed packages
  lpips=vgg:PATH    VGG16 of ImageNet in torchvision's names: the published LPIPS
  lpips=alex:PATH   AlexNet, likewise
  clip=WEIGHTS      openai/clip-vit-base-patch32 and the like
  dino=WEIGHTS      facebook/dinov2-small and the like, with registers or without
  inception=PATH    the Inception v3 of FID in pytorch-fid's names

`choose` opens what is asked for and answers with a `Backbone` for each kind; LPIPS is always among
them. What a backbone takes and gives:

  backbone(frames_NHWC)        -> float32[N, D]: one vector a frame, for cosines, FID, KID, probes
  backbone.maps(frames_NHWC)   -> a tuple of float32[N, h, w, C], fine to coarse: for Gram matrices
                                  (texture) and self-similarity (structure)
  backbone.describe(texts)     -> float32[M, D], in the space of backbone(frames): of CLIP alone
  backbone.features            the same as a pure `nnx` module, for use inside a jitted function
  backbone.distance            an `LPIPS` (metrics.lpips), of the kind lpips alone; of the others
                               `similarity.CosineDistance(backbone.features)` is a distance

Frames are RGB, float32 in [0, 1] or uint8, of any size that the network takes, any number of them:
they go through in batches of one size, padded, so that a new number of frames compiles nothing.
Resizing, cropping and normalising are the network's own and happen on the device; CLIP and DINOv2
round floats to 8 bits first, for they are published with Pillow's resizing of 8-bit pictures, which
they get to the last bit. Vectors are as the network gives them, not scaled to unit length.
"""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from painting_jax.checkpoints import hub
from painting_jax.checkpoints.load import load_model
from painting_jax.checkpoints.source import Source, open_source, read_json
from painting_jax.errors import UserError
from painting_jax.evaluation import hed_vgg
from painting_jax.evaluation import lpips_heads as lpips
from painting_jax.metrics.lpips import LPIPS
from painting_jax.models.clip import modeling as clip
from painting_jax.models.clip import params as clip_names
from painting_jax.models.clip.modeling import CLIP
from painting_jax.models.dinov2 import modeling as dinov2
from painting_jax.models.dinov2 import params as dinov2_names
from painting_jax.models.dinov2.modeling import DINOv2
from painting_jax.models.features import (
    CLIPFeatures,
    DINOv2Features,
    InceptionFeatures,
    Maps,
    TrunkFeatures,
)
from painting_jax.models.inception import params as inception_names
from painting_jax.models.inception.modeling import InceptionV3
from painting_jax.sharding.rules import batch_sharding, replicated
from painting_jax.text import prompts

DEFAULT = "lpips=hed"

# Pixels of all frames that go through a network at their own size at once, for each device.
_PIXELS_AT_ONCE = 2**19


class Features(Protocol):
    """Pictures, uint8 or float32 in [0, 1], to features; pure, an `nnx` module.

    Attributes:
      label: what numbers made of them are called, such as "CLIP ViT-B/32".
      at_once: how many pictures are best given at a time; None = as their size allows.
    """

    label: str
    at_once: int | None

    def __call__(self, pictures_NHWC: jax.Array) -> jax.Array:
        """float32[N, D]."""

    def maps(self, pictures_NHWC: jax.Array) -> Maps:
        """float32[N, h, w, C] each."""


@dataclasses.dataclass(frozen=True, eq=False)
class Backbone:
    """A network with its weights, ready to measure.

    Attributes:
      kind: "lpips", "clip", "dino" or "inception".
      label: its weights as tables call them: "HED-VGG", "VGG16", "CLIP ViT-B/32"; distances of the
        kind lpips are called `distance.label`, as in "LPIPS (HED-VGG)".
      stand_in: whether it takes the place of what the kind is published with.
      identity: differs whenever its weights do: for caches and for the record of an evaluation.
      features: the network as a pure module, the parameters on one device or on all of `mesh`.
      distance: LPIPS over it; of the kind lpips alone.
      tokenize: texts to what `features.describe` takes, of the kind clip alone.
      mesh: frames are spread over its batch axes; None = one device.
    """

    kind: str
    label: str
    stand_in: bool
    identity: str
    features: Features
    distance: LPIPS | None = None
    tokenize: Callable[[Sequence[str]], np.ndarray] | None = None
    mesh: Mesh | None = None

    def __call__(self, frames_NHWC: np.ndarray | jax.Array) -> jax.Array:
        """One vector a frame: float32[N, D], left on the device."""
        return self._batched(_vectors, frames_NHWC)

    def maps(self, frames_NHWC: np.ndarray | jax.Array) -> Maps:
        """Vectors with a place: a tuple of float32[N, h, w, C], fine to coarse."""
        return self._batched(_maps, frames_NHWC)

    def describe(self, texts: Sequence[str]) -> jax.Array:
        """One vector a text, in the space of the vectors of frames: float32[M, D].

        Raises:
          UserError: if the network takes no texts, or its tokenizer is not beside its weights.
        """
        if self.tokenize is None:
            raise UserError(f"{self.label} takes no texts: name clip=WEIGHTS for what does")
        graph, state = self._parts
        return _texts(graph, state, self.tokenize(texts))

    @functools.cached_property
    def _parts(self) -> tuple[Any, Any]:
        return nnx.split(self.features)

    def _batched(self, function: Callable, frames_NHWC: np.ndarray | jax.Array) -> Any:
        count, height, width, _ = frames_NHWC.shape
        size = self.features.at_once or max(1, _PIXELS_AT_ONCE // (height * width))
        if self.mesh is not None:
            size *= self.mesh.shape["data"] * self.mesh.shape["fsdp"]
        parts = []
        for start in range(0, count, size):
            batch = frames_NHWC[start : start + size]
            if len(batch) < size:
                pad = jnp.pad if isinstance(batch, jax.Array) else np.pad
                batch = pad(batch, [(0, size - len(batch)), *[(0, 0)] * 3])
            if self.mesh is not None:
                batch = jax.device_put(batch, batch_sharding(self.mesh))
            parts.append(function(*self._parts, batch))
        return jax.tree.map(lambda *x: jnp.concatenate(x)[:count], *parts)


@functools.partial(jax.jit, static_argnums=0)
def _vectors(graph, state, frames_NHWC):
    return nnx.merge(graph, state)(frames_NHWC)


@functools.partial(jax.jit, static_argnums=0)
def _maps(graph, state, frames_NHWC):
    return nnx.merge(graph, state).maps(frames_NHWC)


@functools.partial(jax.jit, static_argnums=0)
def _texts(graph, state, token_ids_ML):
    return nnx.merge(graph, state).describe(token_ids_ML)


def choose(names: Iterable[str] = (), *, mesh: Mesh | None = None) -> dict[str, Backbone]:
    """Opens what is named, by kind; without a name for LPIPS the stand-in that needs no network.

    Args:
      names: KIND=WEIGHTS, each kind at most once.
      mesh: that frames are spread over.

    Raises:
      UserError: if a name is not understood, a kind is named twice, or its weights are not there.
    """
    chosen: dict[str, tuple[str, str]] = {}
    for name in [*names]:
        kind, weights = _parsed(name)
        if kind in chosen:
            raise UserError(f"{kind} is named twice, as {chosen[kind][1]} and {weights}: name one")
        chosen[kind] = kind, weights
    chosen = {"lpips": _parsed(DEFAULT)} | chosen
    return {kind: _opened(*named, mesh) for kind, named in chosen.items()}


def open_backbone(name: str = DEFAULT, *, mesh: Mesh | None = None) -> Backbone:
    """Opens one backbone.

    Raises:
      UserError: if the name is not understood, or its weights are not there or are others.
    """
    return _opened(*_parsed(name), mesh)


def _parsed(name: str) -> tuple[str, str]:
    kind, equals, weights = name.partition("=")
    if kind not in _OPENERS or not equals or not weights:
        raise UserError(
            f"{name!r} names no backbone: KIND=WEIGHTS is asked for, with one of "
            f"{', '.join(_OPENERS)} as KIND, such as clip=openai/clip-vit-base-patch32"
        )
    return kind, weights


def _opened(kind: str, weights: str, mesh: Mesh | None) -> Backbone:
    backbone = _OPENERS[kind](weights)
    if mesh is None:
        return backbone
    if backbone.distance is None:
        features = _everywhere(backbone.features, mesh)
        return dataclasses.replace(backbone, features=features, mesh=mesh)
    # The features are those of the distance's trunk: its weights are placed once for both.
    distance = _everywhere(backbone.distance, mesh)
    features = TrunkFeatures(distance.trunk, label=backbone.label)
    return dataclasses.replace(backbone, features=features, distance=distance, mesh=mesh)


def _everywhere(network: nnx.Module, mesh: Mesh) -> nnx.Module:
    """The network with its weights on every device, so that no call has to send them."""
    graph, state = nnx.split(network)
    return nnx.merge(graph, jax.device_put(state, replicated(mesh)))


def _open_lpips(weights: str) -> Backbone:
    trunk, colon, file = weights.partition(":")
    if weights == "hed":
        distance, label, files = hed_vgg.load(), hed_vgg.WEIGHTS, hed_vgg.files()
    elif trunk in lpips.TRUNKS and colon and file:
        source = _source(file)
        distance, label, files = lpips.load(trunk, source), lpips.TRUNKS[trunk][0], source.files
    else:
        known = ", ".join(f"lpips={name}:FILE" for name in lpips.TRUNKS)
        raise UserError(f"lpips={weights} is not known: name lpips=hed, {known}")
    features = TrunkFeatures(distance.trunk, label=label)
    stand_in = label == hed_vgg.WEIGHTS
    identity = _identity("lpips", label, [*files, lpips.HEADS])
    return Backbone("lpips", label, stand_in, identity, features, distance)


def _open_clip(weights: str) -> Backbone:
    source = _source(weights)
    config = clip_names.both_config(_config(source))
    model = load_model(lambda: CLIP(config, rngs=nnx.Rngs(0)), source, [clip_names.BOTH])
    label = f"CLIP {_size(config.vision, clip.SIZES)}"
    return Backbone(
        "clip",
        label,
        False,
        _identity("clip", label, source.files),
        CLIPFeatures(model, label=label),
        tokenize=functools.partial(_tokenized, source.folder, config.text.length),
    )


def _open_dino(weights: str) -> Backbone:
    source = _source(weights)
    config = dinov2_names.config(_config(source))
    model = load_model(lambda: DINOv2(config, rngs=nnx.Rngs(0)), source, dinov2_names.TABLES)
    label = f"DINOv2 {_size(config, dinov2.SIZES)}"
    identity = _identity("dino", label, source.files)
    return Backbone("dino", label, False, identity, DINOv2Features(model, label=label))


def _open_inception(weights: str) -> Backbone:
    source = _source(weights)
    inception_names.check(source)
    model = load_model(lambda: InceptionV3(rngs=nnx.Rngs(0)), source, [inception_names.TABLE])
    label = "Inception v3"
    identity = _identity("inception", label, source.files)
    return Backbone("inception", label, False, identity, InceptionFeatures(model, label=label))


_OPENERS: dict[str, Callable[[str], Backbone]] = {
    "lpips": _open_lpips,
    "clip": _open_clip,
    "dino": _open_dino,
    "inception": _open_inception,
}


def _source(weights: str) -> Source:
    """Of a path, or of a hub id with what may stand behind its @."""
    if hub.expanded(weights).exists():
        return open_source(weights)
    name, _, revision = weights.partition("@")
    return open_source(name, revision=revision or None)


def _config(source: Source) -> dict:
    """The config.json that lies with the weights.

    Raises:
      UserError: if none does.
    """
    if source.config:
        return source.config
    path = source.folder / "config.json"
    if not path.is_file():
        raise UserError(f"{source.name} has no config.json beside it: put its model's there")
    return read_json(path)


def _tokenized(folder: pathlib.Path, length: int, texts: Sequence[str]) -> np.ndarray:
    """int32[M, L]: the ids of texts by the tokenizer in a folder, cut and padded to one length."""
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise UserError(
            f"{folder} has no tokenizer for texts: put its model's tokenizer.json there, or its "
            f"vocab.json and merges.txt"
        )
    tokenizer = prompts.load_tokenizer(folder)
    # Zeros after the end: a text's end is its first, or its largest id.
    ids_ML = np.zeros((len(texts), length), np.int32)
    for row_L, text in zip(ids_ML, texts, strict=True):
        ids = prompts.encode(tokenizer, text, length)
        row_L[: len(ids)] = ids
    return ids_ML


def _size(config: Any, sizes: Mapping[str, Any]) -> str:
    """A model's size as its authors call it: "ViT-B/32", or widths for one they have not."""
    name = next((name for name, known in sizes.items() if known == config), None)
    if name is None:
        return f"of {config.layers} layers, width {config.dim}, patch {config.patch}"
    letter, patch, *registers = name.removeprefix("vit_").split("_")
    return f"ViT-{letter.upper()}/{patch}" + (" with registers" if registers else "")


def _identity(kind: str, label: str, files: Iterable[pathlib.Path]) -> str:
    """What kind, which network, and a fingerprint of the files' bytes."""
    digest = hashlib.blake2b(digest_size=8)
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return f"{kind} {label} {digest.hexdigest()}"

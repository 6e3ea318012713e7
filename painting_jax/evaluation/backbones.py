"""The backbones that measure, by the names that a user gives them.

A name is KIND=WEIGHTS. WEIGHTS is a local folder or safetensors file, or an id on the Hugging Face
hub (`owner/repository`, optionally with `@revision`):

  lpips=hed         the default proxy: VGG16 fine-tuned for edges, from an installed package
  lpips=vgg:PATH    VGG16 of ImageNet in torchvision's names: the published LPIPS
  lpips=alex:PATH   AlexNet of ImageNet in torchvision's names: the published LPIPS
  clip=WEIGHTS      openai/clip-vit-base-patch32 and others of its kind
  dino=WEIGHTS      facebook/dinov2-small and others of its kind, with or without registers
  inception=PATH    the Inception v3 of FID in pytorch-fid's names

Resizing, cropping and normalising are part of each backbone and run on the device. CLIP and DINOv2
round floats to 8 bits first, since they were published with Pillow's resizing of 8-bit pictures,
which they reproduce exactly. Vectors are not scaled to unit length.
"""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from painting_jax.checkpoints import hub
from painting_jax.checkpoints.load import load_model
from painting_jax.checkpoints.source import Source, config_of, open_source
from painting_jax.errors import UserError
from painting_jax.evaluation import lpips_weights
from painting_jax.metrics.lpips import LPIPS
from painting_jax.metrics.perceptual import FeatureExtractor
from painting_jax.models.clip import modeling as clip
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
from painting_jax.text import clip_folder

# Pixels per device that go through a network at the frames' own size at once.
_PIXELS_AT_ONCE = 2**19


@dataclasses.dataclass(frozen=True, eq=False)
class Backbone:
    """A network with its weights, ready to measure.

    Frames are RGB, uint8 or float32 in [0, 1], of any size that the network accepts and of any
    number: they go through in padded batches of one size, so a new number compiles nothing.

    Attributes:
      kind: "lpips", "clip", "dino" or "inception".
      label: Label of the weights in tables, such as "HED-VGG" or "CLIP ViT-B/32".
      proxy: Whether it replaces the network that the kind is published with.
      identity: Name and fingerprint of the weights.
      features: The network as a pure module, with parameters on one device or on all of `mesh`.
      distance: LPIPS over it; only for the kind "lpips".
      tokenize: Function from texts to the input of `features.describe`; only for the kind "clip".
      mesh: Mesh whose batch axes share the frames; None = one device.
    """

    kind: str
    label: str
    proxy: bool
    identity: str
    features: FeatureExtractor
    distance: LPIPS | None = None
    tokenize: Callable[[Sequence[str]], np.ndarray] | None = None
    mesh: Mesh | None = None

    def __call__(self, frames_NHWC: np.ndarray | jax.Array) -> jax.Array:
        """One vector per frame: float32[N, D], on the device."""
        return self._batched(_vectors, frames_NHWC)

    def maps(self, frames_NHWC: np.ndarray | jax.Array) -> Maps:
        """Feature maps, fine to coarse: float32[N, h, w, C] each."""
        return self._batched(_maps, frames_NHWC)

    def describe(self, texts: Sequence[str]) -> jax.Array:
        """One vector per text, in the space of the frames' vectors: float32[M, D].

        Raises:
          UserError: If the network takes no texts, or there is no tokenizer beside its weights.
        """
        if self.tokenize is None:
            raise UserError(f"{self.label} takes no texts: name clip=WEIGHTS")
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


def open_backbones(names: Iterable[str] = (), *, mesh: Mesh | None = None) -> dict[str, Backbone]:
    """Opens backbones by kind; LPIPS is always among them, by default the proxy.

    Args:
      names: KIND=WEIGHTS, each kind at most once.
      mesh: Mesh that frames are spread over.

    Raises:
      UserError: If a name is malformed, a kind is named twice, or its weights do not exist.
    """
    chosen: dict[str, tuple[str, str]] = {}
    for name in names:
        kind, weights = _parsed(name)
        if kind in chosen:
            raise UserError(f"{kind} is named twice, as {chosen[kind][1]} and {weights}: name one")
        chosen[kind] = kind, weights
    chosen = {"lpips": ("lpips", "hed")} | chosen
    return {kind: _opened(*named, mesh) for kind, named in chosen.items()}


def _parsed(name: str) -> tuple[str, str]:
    kind, equals, weights = name.partition("=")
    if kind not in _OPENERS or not equals or not weights:
        raise UserError(
            f"{name!r} names no backbone: write KIND=WEIGHTS with one of "
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
    # The features share the distance's trunk, so its weights are placed once.
    distance = _everywhere(backbone.distance, mesh)
    features = TrunkFeatures(distance.trunk, label=backbone.label)
    return dataclasses.replace(backbone, features=features, distance=distance, mesh=mesh)


def _everywhere(network: nnx.Module, mesh: Mesh) -> nnx.Module:
    """Copies the weights to every device, so that calls do not have to send them."""
    graph, state = nnx.split(network)
    return nnx.merge(graph, jax.device_put(state, replicated(mesh)))


def _open_lpips(weights: str) -> Backbone:
    trunk, colon, file = weights.partition(":")
    if weights == "hed":
        label, files = lpips_weights.HED, [lpips_weights.hed_file()]
        distance = lpips_weights.load_hed()
    elif trunk in lpips_weights.TRUNKS and colon and file:
        source = _source(file)
        label, files = lpips_weights.TRUNKS[trunk][0], source.files
        distance = lpips_weights.load(trunk, source)
    else:
        known = ", ".join(f"lpips={name}:FILE" for name in lpips_weights.TRUNKS)
        raise UserError(f"lpips={weights} is not known: name lpips=hed, {known}")
    features = TrunkFeatures(distance.trunk, label=label)
    identity = _identity("lpips", label, [*files, lpips_weights.HEADS])
    return Backbone("lpips", label, label == lpips_weights.HED, identity, features, distance)


def _open_clip(weights: str) -> Backbone:
    source = _source(weights)
    config, model, tokenize = clip_folder.opened(source)
    label = f"CLIP {_size(config.vision, clip.SIZES)}"
    return Backbone(
        "clip",
        label,
        False,
        _identity("clip", label, source.files),
        CLIPFeatures(model, label=label),
        tokenize=tokenize,
    )


def _open_dino(weights: str) -> Backbone:
    source = _source(weights)
    config = dinov2_names.config(config_of(source))
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
    """Opens a path, or a hub id with an optional @revision."""
    if hub.expanded(weights).exists():
        return open_source(weights)
    name, _, revision = weights.partition("@")
    return open_source(name, revision=revision or None)


def _size(config: Any, sizes: Mapping[str, Any]) -> str:
    """A model's published name, such as "ViT-B/32", or its dimensions if it has none."""
    name = next((name for name, known in sizes.items() if known == config), None)
    if name is None:
        return f"of {config.layers} layers, width {config.dim}, patch {config.patch}"
    letter, patch, *registers = name.removeprefix("vit_").split("_")
    return f"ViT-{letter.upper()}/{patch}" + (" with registers" if registers else "")


def _identity(kind: str, label: str, files: Iterable[pathlib.Path]) -> str:
    """Kind, label and a fingerprint of the files."""
    digest = hashlib.blake2b(digest_size=8)
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return f"{kind} {label} {digest.hexdigest()}"

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
Resizing, cropping and normalising are the network's own and happen on the device; CLIP, DINOv2 and
Inception round floats to 8 bits first, as they were published for pictures of 8 bits. Vectors are
as the network gives them, not scaled to unit length.
"""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from painting_jax.errors import UserError
from painting_jax.metrics.lpips import LPIPS
from painting_jax.models.features import Maps, TrunkFeatures
from painting_jax.sharding.rules import batch_sharding, replicated
from painting_jax.weights import hed_vgg

DEFAULT = "lpips=hed"

# Pixels of all frames that go through at once, for each device.
_PIXELS_AT_ONCE = 2**19


class Features(Protocol):
    """Pictures, uint8 or float32 in [0, 1], to features; pure, an `nnx` module.

    Attributes:
      label: what numbers made of them are called, such as "CLIP ViT-B/32".
    """

    label: str

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
      tokenize: texts to what `features.describe` takes, of CLIP with its tokenizer alone.
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
          UserError: if the network knows no texts, or its tokenizer was not beside its weights.
        """
        if self.tokenize is None:
            raise UserError(
                f"{self.label} takes no texts here: --backbone=clip=FOLDER needs a folder with "
                f"tokenizer.json, or vocab.json and merges.txt, beside the weights"
            )
        graph, state = self._parts
        return _texts(graph, state, self.tokenize(texts))

    @functools.cached_property
    def _parts(self) -> tuple[Any, Any]:
        return nnx.split(self.features)

    def _batched(self, function: Callable, frames_NHWC: np.ndarray | jax.Array) -> Any:
        count, height, width, _ = frames_NHWC.shape
        size = max(1, _PIXELS_AT_ONCE // (height * width))
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
    graph, state = nnx.split(backbone.features)
    features = nnx.merge(graph, jax.device_put(state, replicated(mesh)))
    return dataclasses.replace(backbone, features=features, mesh=mesh)


def _open_lpips(weights: str) -> Backbone:
    if weights != "hed":
        raise UserError(f"lpips={weights}: hed is known")
    distance = hed_vgg.load()
    return Backbone(
        "lpips",
        hed_vgg.WEIGHTS,
        True,
        _identity("lpips", hed_vgg.WEIGHTS, hed_vgg.files()),
        TrunkFeatures(distance.trunk, label=hed_vgg.WEIGHTS),
        distance,
    )


_OPENERS: dict[str, Callable[[str], Backbone]] = {
    "lpips": _open_lpips,
}


def _identity(kind: str, label: str, files: Iterable[pathlib.Path]) -> str:
    """What kind, which network, and a fingerprint of the files' bytes."""
    digest = hashlib.blake2b(digest_size=8)
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return f"{kind} {label} {digest.hexdigest()}"

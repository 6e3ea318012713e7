"""The networks of an evaluation: the perceptual distance, and the backbones a user names."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

import jax
from flax import nnx
from jax.sharding import Mesh

from painting_jax.evaluation import backbones
from painting_jax.evaluation.backbones import Backbone
from painting_jax.metrics.perceptual import CosineDistance, FeatureExtractor, PerceptualDistance

_SIMILARITIES = ("clip", "dino")

# A comma before another KIND=, unlike one in a path.
_SEPARATOR = re.compile(r",(?=\s*[a-z]+=)")


@dataclasses.dataclass(frozen=True)
class Networks:
    """The networks of an evaluation.

    Attributes:
      distance: The perceptual distance. The network of an `LPIPS` also defines texture and, without
        `features`, the vectors by which sets are compared.
      similarities: CLIP and DINO, if they are used, as distances: 1 - cosine.
      features: Network whose `embed` returns the vectors for FID and KID; None = the distance's.
      backbones: The backbones of the similarities, by the same keys.
      proxy: Whether the distance's network replaces the published one.
      identities: Names and fingerprints of all weights.
      mesh: Mesh whose data axis shares the frames; None = one device.
    """

    distance: PerceptualDistance
    similarities: Mapping[str, PerceptualDistance] = dataclasses.field(default_factory=dict)
    features: PerceptualDistance | None = None
    backbones: Mapping[str, Backbone] = dataclasses.field(default_factory=dict)
    proxy: bool = False
    identities: tuple[str, ...] = ()
    mesh: Mesh | None = None

    @classmethod
    def open(cls, values: Sequence[str] = (), mesh: Mesh | None = None) -> "Networks":
        """Opens the networks that `--backbones` names, and LPIPS over a proxy if it is not named.

        Args:
          values: KIND=WEIGHTS, or several separated by commas; see `backbones`.
          mesh: Mesh whose data axis shares the frames.

        Raises:
          UserError: If a name is malformed, or its weights do not exist.
        """
        names = [name.strip() for value in values for name in _SEPARATOR.split(value)]
        opened = backbones.open_backbones(names, mesh=mesh)
        similarities = {kind: opened[kind] for kind in _SIMILARITIES if kind in opened}
        inception = opened.get("inception")
        return cls(
            opened["lpips"].distance,
            {kind: CosineDistance(backbone.features) for kind, backbone in similarities.items()},
            _Vectors(inception.features) if inception else None,
            similarities,
            opened["lpips"].proxy,
            tuple(backbone.identity for backbone in opened.values()),
            mesh,
        )

    @property
    def distances(self) -> dict[str, PerceptualDistance]:
        """All distances, by their placeholders in the labels of measures."""
        return {"distance": self.distance, **self.similarities}

    @property
    def labels(self) -> dict[str, str]:
        """Labels in reports, which include the weights."""
        labels = {key: distance.label for key, distance in self.distances.items()}
        sets = self.features.label if self.features else _weights(self.distance.label)
        return {**labels, "features": sets}

    @property
    def proxies(self) -> tuple[str, ...]:
        """Keys of `labels` whose networks replace the published ones."""
        return ("distance",) * self.proxy + ("features",) * (self.features is None)

    @property
    def identity(self) -> dict[str, object]:
        """Plain values that differ whenever the networks do."""
        return {"backbones": self.labels, "weights": list(self.identities)}

    @property
    def devices(self) -> int:
        """Number of devices that share the frames."""
        return 1 if self.mesh is None else self.mesh.shape["data"]


class _Vectors(nnx.Module):
    """A feature extractor with the interface of a distance."""

    def __init__(self, features: FeatureExtractor):
        self.features = features
        self.label, self.at_once = features.label, features.at_once

    def embed(self, pictures_NHWC: jax.Array) -> jax.Array:
        """RGB, uint8 or float32 in [0, 1] -> float32[N, D]."""
        return self.features(pictures_NHWC)


def _weights(label: str) -> str:
    """Extracts "HED-VGG" from "LPIPS (HED-VGG)": features are not a distance."""
    return label.partition("(")[2].rstrip(")") or label

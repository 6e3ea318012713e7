"""What processes are measured with: the perceptual distance and whatever backbones were named."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

import jax
from flax import nnx
from jax.sharding import Mesh

from painting_jax.evaluation.backbones import Backbone, choose
from painting_jax.metrics.perceptual import PerceptualDistance
from painting_jax.metrics.similarity import CosineDistance, Features

_SIMILARITIES = ("clip", "dino")

# A comma that another backbone follows: one in a path stays.
_NEXT = re.compile(r",(?=\s*[a-z]+=)")


@dataclasses.dataclass(frozen=True)
class Instruments:
    """The networks of an evaluation.

    Attributes:
      distance: the perceptual distance; of an `LPIPS` the network also says what texture is and,
        without other `features`, what frames are compared by as sets.
      similarities: CLIP and DINO, as far as they were named, as distances: 1 - cosine.
      features: whose `embed` gives what FID and KID are taken of; None = the distance's network.
      backbones: those of the similarities, by the same names: for more than distances.
      stand_in: whether the distance takes the place of the published one.
      identities: of all their weights, in plain types.
      mesh: whose data axis shares the frames; None on one device.
    """

    distance: PerceptualDistance
    similarities: Mapping[str, PerceptualDistance] = dataclasses.field(default_factory=dict)
    features: PerceptualDistance | None = None
    backbones: Mapping[str, Backbone] = dataclasses.field(default_factory=dict)
    stand_in: bool = False
    identities: tuple[str, ...] = ()
    mesh: Mesh | None = None

    @property
    def distances(self) -> dict[str, PerceptualDistance]:
        """All of them, by what they stand for in the labels of measures."""
        return {"distance": self.distance, **self.similarities}

    @property
    def labels(self) -> dict[str, str]:
        """What they are called wherever numbers are shown: it names the weights."""
        labels = {key: distance.label for key, distance in self.distances.items()}
        sets = self.features.label if self.features else _weights(self.distance.label)
        return {**labels, "features": sets}

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Of the labels, those of networks that take the place of the published ones."""
        return ("distance",) * self.stand_in + ("features",) * (self.features is None)

    @property
    def identity(self) -> dict[str, object]:
        """What tells numbers of these networks from those of others, in plain types."""
        return {"backbones": self.labels, "weights": list(self.identities)}

    @property
    def devices(self) -> int:
        """That share the frames."""
        return 1 if self.mesh is None else self.mesh.shape["data"]


def opened(values: Sequence[str], mesh: Mesh | None) -> Instruments:
    """The instruments that `--backbones` names; LPIPS over the stand-in where none is.

    Args:
      values: KIND=WEIGHTS each, or several with commas between them; see `backbones`.
      mesh: whose data axis shares the frames.

    Raises:
      UserError: if a name is not understood, or its weights are not there.
    """
    names = [name.strip() for value in values for name in _NEXT.split(value)]
    chosen = choose(names, mesh=mesh)
    sets = chosen.get("inception")
    return Instruments(
        chosen["lpips"].distance,
        {kind: CosineDistance(chosen[kind].features) for kind in _SIMILARITIES if kind in chosen},
        _Vectors(sets.features) if sets else None,
        {kind: chosen[kind] for kind in _SIMILARITIES if kind in chosen},
        chosen["lpips"].stand_in,
        tuple(backbone.identity for backbone in chosen.values()),
        mesh,
    )


class _Vectors(nnx.Module):
    """Features as they are, under the name that frames are embedded by."""

    def __init__(self, features: Features):
        self.features = features
        self.label, self.at_once = features.label, features.at_once

    def embed(self, pictures_NHWC: jax.Array) -> jax.Array:
        """RGB, uint8 or float32 in [0, 1] -> float32[N, D]."""
        return self.features(pictures_NHWC)


def _weights(label: str) -> str:
    """ "HED-VGG" of "LPIPS (HED-VGG)": features are not a distance."""
    return label.partition("(")[2].rstrip(")") or label

"""What processes are measured with: the perceptual distance and whatever backbones were named."""

import dataclasses
from collections.abc import Mapping

from jax.sharding import Mesh

from painting_jax.metrics.perceptual import PerceptualDistance


@dataclasses.dataclass(frozen=True)
class Instruments:
    """The networks of an evaluation.

    Attributes:
      distance: the perceptual distance; of an `LPIPS` the network also says what texture is and,
        without other `features`, what frames are compared by as sets.
      similarities: CLIP and DINO, as far as they were named, as distances: 1 - cosine.
      features: whose `embed` gives what FID and KID are taken of; None = the distance's network.
      identities: of all their weights, in plain types.
      mesh: whose data axis shares the frames; None on one device.
    """

    distance: PerceptualDistance
    similarities: Mapping[str, PerceptualDistance] = dataclasses.field(default_factory=dict)
    features: PerceptualDistance | None = None
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
    def identity(self) -> dict[str, object]:
        """What tells numbers of these networks from those of others, in plain types."""
        return {"backbones": self.labels, "weights": list(self.identities)}

    @property
    def devices(self) -> int:
        """That share the frames."""
        return 1 if self.mesh is None else self.mesh.shape["data"]


def _weights(label: str) -> str:
    """ "HED-VGG" of "LPIPS (HED-VGG)": features are not a distance."""
    return label.partition("(")[2].rstrip(")") or label

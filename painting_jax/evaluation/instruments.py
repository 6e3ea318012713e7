"""What processes are measured with: the perceptual distance and whatever backbones were named."""

import dataclasses
from collections.abc import Mapping

from jax.sharding import Mesh

from painting_jax.metrics.perceptual import PerceptualDistance


@dataclasses.dataclass(frozen=True)
class Instruments:
    """The networks of an evaluation.

    Attributes:
      distance: the perceptual distance.
      similarities: CLIP and DINO, as far as they were named, as distances: 1 - cosine.
      mesh: whose data axis shares the frames; None on one device.
    """

    distance: PerceptualDistance
    similarities: Mapping[str, PerceptualDistance] = dataclasses.field(default_factory=dict)
    mesh: Mesh | None = None

    @property
    def distances(self) -> dict[str, PerceptualDistance]:
        """All of them, by what they stand for in the labels of measures."""
        return {"distance": self.distance, **self.similarities}

    @property
    def labels(self) -> dict[str, str]:
        """What they are called wherever numbers are shown: it names the weights."""
        return {key: distance.label for key, distance in self.distances.items()}

    @property
    def identity(self) -> dict[str, object]:
        """What tells numbers of these networks from those of others, in plain types."""
        return {"backbones": self.labels}

    @property
    def devices(self) -> int:
        """That share the frames."""
        return 1 if self.mesh is None else self.mesh.shape["data"]

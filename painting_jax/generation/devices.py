"""The devices that a model paints on: a mesh, and how its sequence axis is used."""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
from jax.sharding import Mesh

from painting_jax.errors import UserError
from painting_jax.sharding.attention import Strategy
from painting_jax.sharding.mesh import AXES, make_mesh

_RING = "ring"
HELP = (
    "Devices along the axes of the mesh, as in data=2,sequence=4: data and fsdp share the "
    "pictures, tensor shares the matrices, sequence shares the tokens of a picture; -1 takes all "
    "devices that are left. With ring=N, the devices along sequence pass keys and values round in "
    "N groups [default: the fewest]."
)


@dataclasses.dataclass(frozen=True)
class Devices:
    """A mesh, and the number of groups that its sequence axis forms.

    Attributes:
      mesh: Mesh that parameters and pictures are laid out on.
      ring: As in `attention.Strategy`; 0 = the fewest groups that the heads allow.
    """

    mesh: Mesh
    ring: int = 0

    @classmethod
    def of(cls, text: str | None, default: Mapping[str, int]) -> "Devices":
        """The devices that a flag describes.

        Args:
          text: Sizes, as in "data=2,sequence=4,ring=4"; None = all devices along `default`.
          default: Sizes of the mesh without a text.

        Raises:
          UserError: If the text describes no mesh of the devices that there are.
        """
        if text is None:
            return cls(make_mesh(default))
        sizes: dict[str, int] = {}
        for part in text.split(","):
            name, _, number = part.strip().partition("=")
            known = name in (*AXES, _RING) and name not in sizes
            if not known or not re.fullmatch(r"-?\d{1,9}", number, re.ASCII):
                raise UserError(
                    f"--mesh={text[:200]}: write a size of each of {', '.join(AXES)} and {_RING} "
                    "that you need, as in data=2,sequence=4"
                )
            sizes[name] = int(number)
        ring = sizes.pop(_RING, 0)
        if -1 not in sizes.values():
            sizes.setdefault("data", -1)
        return cls(make_mesh(sizes), ring)

    @property
    def strategy(self) -> Strategy:
        return Strategy(ring=self.ring)

    @property
    def pictures(self) -> int:
        """Number of pictures that are painted at a time, without copies."""
        return self.mesh.shape["data"] * self.mesh.shape["fsdp"]

    def filled(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A batch filled up with its last row, so that the devices share it evenly."""
        return {
            name: np.concatenate([rows, np.repeat(rows[-1:], -len(rows) % self.pictures, 0)])
            for name, rows in batch.items()
        }

    def check(self, heads: int) -> None:
        """Checks that the groups of the ring are equal, and that each can share the heads.

        Raises:
          UserError: If they are not.
        """
        devices, tensor = self.mesh.shape["sequence"], self.mesh.shape["tensor"]
        local = heads // tensor if heads % tensor == 0 else heads
        fitting = [
            n for n in range(1, devices + 1) if devices % n == 0 and local % (devices // n) == 0
        ]
        if self.ring and self.ring not in fitting:
            raise UserError(
                f"--mesh: ring={self.ring} must be one of {', '.join(map(str, fitting))}: the "
                f"devices along sequence ({devices}) form equal groups, and the size of a group "
                f"divides the {local} heads"
            )

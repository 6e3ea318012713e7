"""A picture's regions as a person changes them: split, merged, and put in an order.

The changes are a list that is applied to the automatic segmentation, so nothing is kept between
two requests, and the same list gives the same regions.
"""

import base64
import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from sklearn.cluster import KMeans

from painting_jax.data import pictures, region_map
from painting_jax.data.keeping import kept
from painting_jax.data.segmentation import segment
from painting_jax.errors import UserError
from painting_jax.instruction import colour_names
from painting_jax.instruction.language import Words
from painting_jax.instruction.mixing.colours import lab_of_srgb
from painting_jax.instruction.places import place

_SIDE = 512  # longer side of the map in pixels
_MOST = 24  # regions
_SAMPLE = 4000  # pixels of a region that are looked at to split it
_NEAR = 60.0  # weight of the place against the colour, in units of CIE Lab over the longer side
_SPECK = 0.0008  # share of the picture that each part of a split has at least
_LEAST = 2 * _SPECK
_TOO_SMALL = "this region is too small, or too even, to be split"

_segment = kept(segment)


@dataclasses.dataclass(frozen=True)
class Regions:
    """The regions of a picture.

    Attributes:
      picture_HWC: uint8 picture, small.
      labels_HW: uint8 labels, each a region; 0 is none. They may leave out numbers.
    """

    picture_HWC: np.ndarray
    labels_HW: np.ndarray

    @classmethod
    def of(cls, picture_HWC: np.ndarray, edits: Sequence[dict] = ()) -> "Regions":
        """The regions that are found in a picture, uint8 RGB, with a person's changes.

        Args:
          picture_HWC: Picture.
          edits: Changes, each {"merge": [a, b]}, which makes b a part of a, or
            {"split": a, "at": [x, y]}, which makes what is like the place x, y (shares of the
            sides) a region of its own, with the next number.

        Raises:
          UserError: If a change names no region, or a region cannot be split.
        """
        small_HWC = pictures.shrunk(picture_HWC, _SIDE)
        regions = cls(small_HWC, _segment(small_HWC))
        for edit in edits:
            regions = (
                regions.merged(*edit["merge"])
                if "merge" in edit
                else regions.split(edit["split"], *edit["at"])
            )
        return regions

    @property
    def numbers(self) -> list[int]:
        """Their numbers."""
        return np.unique(self.labels_HW[self.labels_HW > 0]).tolist()

    def ordered(self, order: Sequence[int]) -> np.ndarray:
        """The map in painting order: uint8[H, W], 1..K; those that are not named come last.

        Raises:
          UserError: If a number is not that of a region, or named twice.
        """
        try:
            return region_map.reordered(self.labels_HW, tuple(order))
        except ValueError:
            raise UserError("the order names a region that is not there: set it again") from None

    @property
    def told(self) -> dict:
        """Them for the page: what each is like, and the map as a PNG whose levels are numbers."""
        height, width = self.labels_HW.shape
        lists = []
        for number in self.numbers:
            inside_HW = self.labels_HW == number
            # Where it is furthest from its border.
            depth_HW = ndimage.distance_transform_edt(np.pad(inside_HW, 1))[1:-1, 1:-1]
            y, x = np.unravel_index(np.argmax(depth_HW), depth_HW.shape)
            colour_3 = self.picture_HWC[inside_HW].mean(0).round().astype(np.uint8)
            name = colour_names.name(colour_3).text()
            lists.append(
                {
                    "number": number,
                    "colour": colour_3.tolist(),
                    "share": round(float(inside_HW.mean()), 4),
                    "at": [round((x + 0.5) / width, 4), round((y + 0.5) / height, 4)],
                    "name": f"{name} {Words.of('en').say('places', place(inside_HW))}",
                }
            )
        grey_HWC = np.repeat(self.labels_HW[..., None], 3, axis=-1)
        png = base64.b64encode(pictures.encode(grey_HWC, "png")).decode()
        return {"regions": lists, "map": f"data:image/png;base64,{png}", "most": _MOST}

    def merged(self, into: int, region: int) -> "Regions":
        """One region made a part of another; errors as in `of`."""
        if into == region or not {into, region} <= set(self.numbers):
            raise UserError("two regions of the picture can be merged")
        return dataclasses.replace(
            self, labels_HW=np.where(self.labels_HW == region, np.uint8(into), self.labels_HW)
        )

    def split(self, region: int, x: float, y: float) -> "Regions":
        """What is like a place in a region made a region of its own; errors as in `of`."""
        numbers = self.numbers
        if region not in numbers:
            raise UserError("this region is not there: reload the page")
        if len(numbers) >= _MOST or max(numbers) == 255:
            raise UserError(f"a picture has at most {_MOST} regions: merge some first")
        y_N, x_N = np.nonzero(self.labels_HW == region)
        height, width = self.labels_HW.shape
        if len(y_N) < _LEAST * self.labels_HW.size:
            raise UserError(_TOO_SMALL)
        features_NF = self._features(y_N, x_N)
        clicked = np.argmin(np.hypot(y_N - y * height, x_N - x * width))
        sampled = np.linspace(0, len(y_N) - 1, min(_SAMPLE, len(y_N))).astype(int)
        away = np.argmax(np.linalg.norm(features_NF[sampled] - features_NF[clicked], axis=1))
        centres_2F = features_NF[[clicked, sampled[away]]]
        means = KMeans(2, init=centres_2F, n_init=1, max_iter=50).fit(features_NF[sampled])
        there_N = means.predict(features_NF) == means.predict(features_NF[[clicked]])[0]
        share = min(there_N.mean(), 1 - there_N.mean()) * len(y_N) / self.labels_HW.size
        if share < _SPECK:
            raise UserError(_TOO_SMALL)
        labels_HW = self.labels_HW.copy()
        labels_HW[y_N[there_N], x_N[there_N]] = max(numbers) + 1
        return dataclasses.replace(self, labels_HW=labels_HW)

    def _features(self, y_N: np.ndarray, x_N: np.ndarray) -> np.ndarray:
        """Colour and place of pixels: float64[N, 5]."""
        lab_N3 = lab_of_srgb(self.picture_HWC[y_N, x_N])
        place_N2 = np.stack([y_N, x_N], axis=1) * (_NEAR / max(self.labels_HW.shape))
        return np.concatenate([lab_N3, place_N2], axis=1)

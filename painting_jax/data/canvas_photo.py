"""A photo of a half-finished canvas, brought to the picture that is painted on it.

The photo may show the canvas from the side, with its surroundings, and in another light. Of the
quadrilaterals in it whose sides are edges, the canvas is the one that shows most of the picture. A
photo that shows the canvas alone keeps its shape.
"""

from collections.abc import Callable

import numpy as np

from painting_jax.data import pictures, quadrilateral
from painting_jax.data.canvas_look import SIDE, Look
from painting_jax.data.quadrilateral import Edges
from painting_jax.data.rehearsal import Rehearsal

_SOUGHT = 320  # longer side in pixels of the photo in which the canvas is sought
_MOST = 60  # quadrilaterals that are compared with the picture
_REFINED = 2  # of which so many are refined
_HOPELESS = 0.15  # and none whose score is so much below the best
_LIKE = 0.4  # weight of the likeness against that of the edges
_NEAR_BORDER = 2.5  # pixels
_STEPS = (2.0, 1.0, 0.5)  # of the refinement, in pixels
_LARGEST = 2048  # longer side of a canvas, in pixels
# Likeness of edges to the rehearsal. Another picture's is below, but so is that of a canvas with
# little paint. One whose edges are so weak, as a share of the finished picture's, is not refused.
_ANOTHER = 0.13
_LITTLE_PAINT = 0.2


def front_view(
    photo_HWC: np.ndarray, corners_42: np.ndarray, picture_HW: tuple[int, int]
) -> np.ndarray:
    """The canvas of a photo, seen from the front: uint8, in the photo's light.

    Its shape is the picture's, or that of a smaller copy.

    Args:
      photo_HWC: uint8 RGB photo of the canvas.
      corners_42: Corners of the canvas, see `corners`.
      picture_HW: Height and width of the picture that is painted on it.
    """
    scale = min(1.0, _LARGEST / max(picture_HW))
    height, width = (max(pictures.MIN_SIDE, round(scale * n)) for n in picture_HW)
    if np.allclose(corners_42, quadrilateral.whole(photo_HWC.shape[:2])):
        return pictures.resize(photo_HWC, height, width)
    return _cut_out(photo_HWC, corners_42, height, width)


def shows_another(canvas_HWC: np.ndarray, rehearsal: Rehearsal) -> bool:
    """Whether a canvas seems to be that of another picture.

    Args:
      canvas_HWC: uint8 RGB canvas, seen from the front.
      rehearsal: Paintings of the picture in the canvas's medium.
    """
    if rehearsal.likeness(canvas_HWC) >= _ANOTHER:
        return False
    own, finished = (
        float(np.abs(Look.of(x_HWC).slopes_2HWC).mean())
        for x_HWC in (canvas_HWC, rehearsal.finished_HWC)
    )
    return own > _LITTLE_PAINT * finished


def _cut_out(photo_HWC: np.ndarray, corners_42: np.ndarray, height: int, width: int) -> np.ndarray:
    """As `quadrilateral.rectified`, of a photo of any size: uint8."""
    sides_42 = np.roll(corners_42, -1, axis=0) - corners_42
    longest = float(np.linalg.norm(sides_42, axis=1).max())
    scale = min(1.0, max(height, width) / longest)
    shape = [max(1, round(scale * n)) for n in photo_HWC.shape[:2]]
    small_HWC = pictures.resize(photo_HWC, *shape)
    small_42 = corners_42 * shape[::-1] / photo_HWC.shape[1::-1]
    seen_HWC = quadrilateral.rectified(small_HWC, small_42, height, width)
    return np.clip(seen_HWC + 0.5, 0, 255).astype(np.uint8)


def corners(photo_HWC: np.ndarray, picture_HWC: np.ndarray) -> np.ndarray:
    """The corners of the canvas in a photo.

    Args:
      photo_HWC: uint8 RGB photo of the canvas.
      picture_HWC: uint8 RGB picture that is painted on it.

    Returns:
      float[4, 2], see `quadrilateral`.
    """
    small_HWC = pictures.shrunk(photo_HWC, _SOUGHT)
    look = Look.of(picture_HWC)
    edges = Edges.of(small_HWC)
    aspect = picture_HWC.shape[1] / picture_HWC.shape[0]
    found_N42 = quadrilateral.candidates(edges, aspect, _MOST)

    size_2 = np.array(small_HWC.shape[1::-1])

    def score(corners_42: np.ndarray) -> float:
        seen = Look.of(quadrilateral.rectified(small_HWC, corners_42, SIDE, SIDE))
        return quadrilateral.support(edges, corners_42) + _LIKE * look.likeness(seen)

    score_N = [score(corners_42) for corners_42 in found_N42]
    whole_42 = quadrilateral.whole(small_HWC.shape[:2])
    best = (score(whole_42), whole_42)
    for index in np.argsort(score_N)[::-1][:_REFINED]:
        if score_N[index] < max(score_N) - _HOPELESS:
            break
        refined = _refined(found_N42[index], score, size_2)
        best = max(best, refined, key=lambda found: found[0])
    return best[1] * (np.array(photo_HWC.shape[1::-1]) / small_HWC.shape[1::-1])


def _refined(
    corners_42: np.ndarray, score: Callable[[np.ndarray], float], size_2: np.ndarray
) -> tuple[float, np.ndarray]:
    """The best score, and the corners that have it, by moving corners and sides one at a time."""

    def on_border(corners_42: np.ndarray) -> np.ndarray:
        # Sides on the photo's border stay there; lines of the picture would draw them inwards.
        near_42 = np.where(corners_42 < _NEAR_BORDER, 0, corners_42)
        return np.where(near_42 > size_2 - _NEAR_BORDER, size_2, near_42)

    corners_42 = on_border(corners_42)
    best = score(corners_42), corners_42
    for step in _STEPS:
        for _ in range(2):
            before = best[0]
            for moved in ((0,), (1,), (2,), (3,), (0, 1), (1, 2), (2, 3), (3, 0)):
                for move_2 in ((step, 0), (-step, 0), (0, step), (0, -step)):
                    tried_42 = best[1].copy()
                    tried_42[list(moved)] += move_2
                    tried_42 = on_border(tried_42)
                    if (tried := score(tried_42)) > best[0]:
                        best = tried, tried_42
            if best[0] == before:
                break
    return best

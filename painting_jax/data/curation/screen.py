"""The canvas in pictures of a screen: a box between straight edges whose content goes on.

A painting program shows the canvas among panels, other views and pictures to paint from. It may
move and scroll between pictures of a screen, and panels may lie over a part of it.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from painting_jax.data import video
from painting_jax.data.curation import filling, occluders
from painting_jax.data.curation.screen_boxes import NEAR, Pictures, boxes_of, is_screen
from painting_jax.data.curation.screen_views import ALIKE, View, alike, resized

_NEAR = 2 * NEAR  # pixels by which boxes differ where the canvas does not move
_WHOLE, _FEW = 0.97, 0.25  # height by the usual one, and a share that may be less by mistake
_CUT = 1.15  # height of one view by that of another, where a window cuts one of them
_LOOKED_AT = 24  # pictures that are compared with one another
_APART = 13  # pictures from one view to the next: those between show a part of the canvas, or none
_GOES_ON = 0.6  # similarity from which on one view follows another
_INSIDE = 0.7  # share of what changes that lies within the canvas
_CHANGED = 0.02  # share of the canvas that changes between the first picture and the last
_FEWEST, _SHARE = 3, 1 / 4  # pictures that show the canvas, and as a share of all
_TRIES = 4  # chains of boxes that are looked at: others show pictures, and panels, that stay


@dataclasses.dataclass(frozen=True)
class Views:
    """Where K of some pictures of a screen show the same part of the canvas.

    Attributes:
      kept_K: Indices of these pictures.
      boxes_K4: Left, top, right and bottom of the canvas in them, in pixels.
      covered_K: Whether something, such as a panel, lies over a part of it.
    """

    kept_K: np.ndarray
    boxes_K4: np.ndarray
    covered_K: np.ndarray

    @property
    def corners_K42(self) -> np.ndarray:
        """Corners of the boxes, as in `quadrilateral`: float[K, 4, 2]."""
        left_K, top_K, right_K, bottom_K = self.boxes_K4.T.astype(np.float64)
        corners = (left_K, top_K), (right_K, top_K), (right_K, bottom_K), (left_K, bottom_K)
        return np.moveaxis(np.array(corners), 2, 0)


def found(pictures: Pictures) -> Views | None:
    """The views of the canvas in pictures of a screen, in order of time.

    Args:
      pictures: uint8[H, W, 3] each; sizes may differ.

    Returns:
      None if there are no views that go on and change in a quarter of the pictures, or if the
      pictures, of one size, have no long edges in common.
    """
    if _are_of_one_size(pictures) and not is_screen(pictures):
        return None
    looked_S = video.evenly_spaced(len(pictures), _LOOKED_AT)
    boxes = [boxes_of(pictures[at]) for at in looked_S]
    small = [
        [View.of(pictures[at], box_4) for box_4 in of]
        for at, of in zip(looked_S, boxes, strict=True)
    ]
    links = _links(small)
    # Larger boxes are better, but one that goes on for longer is more so.
    sizes = [
        (np.prod(of[:, 2:] - of[:, :2], axis=1) / np.prod(pictures[at].shape[:2])) ** 0.25
        for at, of in zip(looked_S, boxes, strict=True)
    ]
    for _ in range(_TRIES):
        chain = _chain(links, sizes)
        if len(chain) < max(_FEWEST, _SHARE * len(looked_S)):
            return None
        ends = [(pictures[looked_S[at]], boxes[at][which]) for at, which in (chain[0], chain[-1])]
        if _is_painted(*ends):
            places = [*chain, *_covered(links, chain)]
            known = {
                looked_S[at]: (boxes[at][which], (at, which) not in chain) for at, which in places
            }
            return _everywhere(pictures, _usual(known))
        for at, which in chain:
            sizes[at][which] = 0
    return None


def shown(pictures: Pictures, views: Views) -> np.ndarray:
    """The canvas in the pictures that show it, in the median size: uint8[K, H, W, 3].

    What covers it shows what was seen there last.
    """
    widths_K, heights_K = (views.boxes_K4[:, 2:] - views.boxes_K4[:, :2]).T
    width = round(float(np.median(widths_K)))
    height = round(float(width * np.median(heights_K / widths_K)))
    cut = (
        pictures[at][top:bottom, left:right]
        for at, (left, top, right, bottom) in zip(views.kept_K, views.boxes_K4, strict=True)
    )
    frames_KHWC = np.stack([resized(part_HWC, width, height) for part_HWC in cut])
    if not views.covered_K.any():
        return frames_KHWC
    covers_KHW = (
        occluders.occluded(frames_KHWC, from_outside=False) & views.covered_K[:, None, None]
    )
    return filling.filled(frames_KHWC, covers_KHW, prefers_last=True)


# For each view, the earlier ones that go on in it, and how well: pairs of picture and box.
_Links = dict[tuple[int, int], list[tuple[tuple[int, int], float]]]


def _links(small: Sequence[Sequence[View]]) -> _Links:
    """Compares each view with those of the pictures shortly before it."""
    links: _Links = {}
    glances = [np.stack([view.glance for view in of]) if of else None for of in small]
    for at, earlier in ((j, i) for j in range(len(small)) for i in range(max(0, j - _APART), j)):
        for other, which in _comparable(small, glances, earlier, at):
            how_well = alike(small[earlier][other], small[at][which])
            if how_well > _GOES_ON:
                links.setdefault((at, which), []).append(((earlier, other), how_well))
    return links


def _chain(links: _Links, sizes: Sequence[np.ndarray]) -> list[tuple[int, int]]:
    """The views, at most one of each picture, that go on best: pairs of picture and box."""
    best: dict[tuple[int, int], float] = {}
    before: dict[tuple[int, int], tuple[int, int]] = {}
    for (at, which), ones in sorted(links.items()):
        for (earlier, other), how_well in ones:
            gain = (how_well - _GOES_ON) * sizes[earlier][other] * sizes[at][which]
            value = best.get((earlier, other), 0) + gain
            if value > best.get((at, which), 0):
                best[at, which], before[at, which] = value, (earlier, other)
    place = max(best, key=best.__getitem__, default=None)
    chain = []
    while place is not None:
        chain.append(place)
        place = before.get(place)
    return chain[::-1]


def _covered(links: _Links, chain: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Views between those of the chain in which something covers a part of the canvas."""
    ends = {before: after[0] for before, after in itertools.pairwise(chain)}
    best: dict[int, tuple[float, tuple[int, int]]] = {}
    for place, ones in links.items():
        for earlier, how_well in ones:
            at = place[0]
            if at < ends.get(earlier, 0):
                best[at] = max(best.get(at, (0.0, place)), (how_well, place))
    return [place for _, place in best.values()]


def _is_painted(first: tuple[np.ndarray, np.ndarray], last: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether a box changes from one picture to another, and most of what changes lies in it.

    Args:
      first: A picture, and the box in it.
      last: A later picture, and the box in it.
    """
    painted = 1 - alike(View.of(*first), View.of(*last))
    if painted <= _CHANGED or first[0].shape != last[0].shape:
        return painted > _CHANGED
    inside_HW = np.zeros(first[0].shape[:2], bool)
    for left, top, right, bottom in (first[1], last[1]):
        inside_HW[top:bottom, left:right] = True
    changed_HW = np.abs(first[0].astype(np.int16) - last[0]).max(-1) > ALIKE
    # Panels change, too, and so does what lies where the canvas was.
    return changed_HW[inside_HW].sum() > _INSIDE * changed_HW.sum()


def _comparable(
    small: Sequence[Sequence[View]], glances: Sequence[np.ndarray], one: int, other: int
) -> list[tuple[int, int]]:
    """Pairs of views of two pictures that may be of one canvas, by their shape and a glance."""
    if not small[one] or not small[other]:
        return []
    apart_NMC = np.abs(glances[one][:, None] - glances[other])
    alike_NM = (apart_NMC < 2 * ALIKE).mean(-1) > _GOES_ON / 2
    heights_N, heights_M = (
        np.array([view.planes_CHW.shape[1] for view in small[at]]) for at in (one, other)
    )
    cut_NM = heights_N[:, None] / heights_M
    alike_NM &= np.maximum(cut_NM, 1 / cut_NM) <= _CUT
    return list(zip(*np.nonzero(alike_NM), strict=True))


_Known = dict[int, tuple[np.ndarray, bool]]  # boxes by picture, and whether one is covered


def _usual(known: _Known) -> _Known:
    """Without the few boxes that end above where the canvas does in the others."""
    heights = {
        at: (bottom - top) / (right - left) for at, ((left, top, right, bottom), _) in known.items()
    }
    usual = float(np.median(list(heights.values())))
    whole = {at: known[at] for at, height in heights.items() if height > _WHOLE * usual}
    return whole if len(whole) > (1 - _FEW) * len(known) else known


def _everywhere(pictures: Pictures, known: _Known) -> Views:
    """The views that are known, and those in the pictures between them.

    Args:
      pictures: All pictures.
      known: Boxes in some of these, and whether something covers the canvas.
    """
    usual_4 = np.median([box_4 for box_4, _ in known.values()], axis=0).astype(int)
    off = max(np.abs(box_4 - usual_4).max() for box_4, _ in known.values())
    is_still = _are_of_one_size(pictures) and off <= _NEAR
    found = {}
    for at, picture_HWC in enumerate(pictures):
        if at in known:
            found[at] = known[at]
        elif is_still:  # It may be blank, and its border not be seen.
            found[at] = usual_4, False
        else:
            before = max((i for i in known if i < at), default=None)
            after = min((i for i in known if i > at), default=None)
            for one in (i for i in (before, after) if i is not None):
                box_4 = known[one][0]
                if picture_HWC.shape == pictures[one].shape and (
                    _goes_on(pictures, box_4, *sorted((at, one))) or _holds(picture_HWC, box_4)
                ):
                    found[at] = box_4, False
                    break
    kept_K = np.array(sorted(found))
    boxes_K4 = _same_part(np.stack([found[at][0] for at in kept_K]))
    return Views(kept_K, boxes_K4, np.array([found[at][1] for at in kept_K]))


def _are_of_one_size(pictures: Pictures) -> bool:
    return len({picture_HWC.shape for picture_HWC in pictures}) == 1


def _goes_on(pictures: Pictures, box_4: np.ndarray, one: int, other: int) -> bool:
    return alike(View.of(pictures[one], box_4), View.of(pictures[other], box_4)) > _GOES_ON


def _holds(picture_HWC: np.ndarray, box_4: np.ndarray) -> bool:
    """Whether a box has straight edges in a picture."""
    return bool((np.abs(boxes_of(picture_HWC) - box_4).max(1, initial=0) <= NEAR).any())


def _same_part(boxes_K4: np.ndarray) -> np.ndarray:
    """Boxes without what windows cut from the bottom of some: int[K, 4]."""
    boxes_K4 = boxes_K4.copy()
    widths_K = boxes_K4[:, 2] - boxes_K4[:, 0]
    lowest = ((boxes_K4[:, 3] - boxes_K4[:, 1]) / widths_K).min()
    boxes_K4[:, 3] = boxes_K4[:, 1] + np.round(lowest * widths_K).astype(int)
    return boxes_K4

"""The palette of a picture: its main colours in order of area, and where each of them is."""

import dataclasses

import numpy as np

from painting_jax.instruction.mixing import colours

# Pixels that are looked at: more do not change the colours.
_MOST_PIXELS = 20_000
# Edge of the cells of CIE Lab in which pixels count as one.
_CELL = 3.0
# CIEDE2000 below which two colours of a palette are one.
_ALIKE = 5.0
# Groups that are formed before they are merged, for each colour of the palette.
_GROUPS = 3
_ROUNDS = 12
_BLOCK = 1 << 16


@dataclasses.dataclass(frozen=True, eq=False)
class Palette:
    """The main colours of a picture, the most frequent first. Their numbers are 1, 2, ...

    Attributes:
      colours_N3: uint8 sRGB.
      share_N: Share of the picture's area that is nearest to each, float64; it sums to 1.
    """

    colours_N3: np.ndarray
    share_N: np.ndarray

    @classmethod
    def of(cls, picture_HWC: np.ndarray, count: int = 12) -> "Palette":
        """Finds the main colours of a picture; the same picture gives the same palette.

        A small area of a colour that is unlike all others counts more than its size.

        Args:
          picture_HWC: uint8 RGB.
          count: Most colours. There are fewer if the picture has fewer that differ.
        """
        step = max(1, round((picture_HWC.shape[0] * picture_HWC.shape[1] / _MOST_PIXELS) ** 0.5))
        sample_P3 = colours.lab_of_srgb(picture_HWC[::step, ::step]).reshape(-1, 3)
        lab_N3 = _merged(*_groups(*_cells(sample_P3), _GROUPS * count), count)
        colours_N3 = colours.srgb_of_lab(lab_N3)
        # Of colours outside sRGB, several may be shown as one.
        _, first = np.unique(colours_N3, axis=0, return_index=True)
        colours_N3 = colours_N3[np.sort(first)]
        share_N = _shares(sample_P3, colours_N3)
        order = np.argsort(-share_N, kind="stable")
        order = order[share_N[order] > 0]
        return cls(colours_N3[order], share_N[order])

    def numbers(self, frame_HWC: np.ndarray) -> np.ndarray:
        """The number of the nearest colour, 1 .. N, int64[H, W].

        Args:
          frame_HWC: The picture, or any step of its painting, uint8 RGB: a colour keeps its number.
        """
        return _nearest(colours.lab_of_srgb(frame_HWC), self.colours_N3) + 1


def _nearest(lab: np.ndarray, colours_N3: np.ndarray) -> np.ndarray:
    """Positions of the nearest colours in CIE Lab, int64[...]."""
    lab_N3 = colours.lab_of_srgb(colours_N3)
    lab_P3 = lab.reshape(-1, 3).astype(np.float32)
    # The squared distance less the pixel's own square, which is the same for all colours.
    own_N = (lab_N3**2).sum(1)
    blocks = np.array_split(lab_P3, -(-len(lab_P3) // _BLOCK))
    nearest = [(own_N[:, None] - 2 * lab_N3 @ block_P3.T).argmin(0) for block_P3 in blocks]
    return np.concatenate(nearest).reshape(lab.shape[:-1])


def _shares(lab_P3: np.ndarray, colours_N3: np.ndarray) -> np.ndarray:
    counts_N = np.bincount(_nearest(lab_P3, colours_N3), minlength=len(colours_N3))
    return counts_N / counts_N.sum()


def _cells(lab_P3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean colours and counts of the cells of CIE Lab that pixels are in."""
    cell_P3 = np.floor(lab_P3 / _CELL).astype(np.int64)
    _, cell_P, counts = np.unique(cell_P3, axis=0, return_inverse=True, return_counts=True)
    sums = [np.bincount(cell_P.reshape(-1), weights=lab_P3[:, channel]) for channel in range(3)]
    return np.stack(sums, 1) / counts[:, None], counts.astype(np.float64)


def _groups(lab_K3: np.ndarray, counts_K: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean colours and counts of at most `count` groups, by k-means with seeds far apart."""
    seeds = [int(counts_K.argmax())]
    distance_K = np.full(len(lab_K3), np.inf)
    while len(seeds) < min(count, len(lab_K3)):
        distance_K = np.minimum(distance_K, ((lab_K3 - lab_K3[seeds[-1]]) ** 2).sum(1))
        # A square root of the area: what is unlike all else is found though it is small.
        seeds.append(int((distance_K * np.sqrt(counts_K)).argmax()))
    lab_G3 = lab_K3[seeds]
    for _ in range(_ROUNDS):
        group_K = ((lab_K3[:, None] - lab_G3) ** 2).sum(2).argmin(1)
        counts_G = np.bincount(group_K, counts_K, len(lab_G3))
        sums = [
            np.bincount(group_K, counts_K * lab_K3[:, channel], len(lab_G3)) for channel in range(3)
        ]
        is_used = counts_G > 0
        lab_G3 = np.stack(sums, 1)[is_used] / counts_G[is_used, None]
    return lab_G3, counts_G[is_used]


def _merged(lab_G3: np.ndarray, counts_G: np.ndarray, count: int) -> np.ndarray:
    """Merges groups that look alike, and then those that cost least, until `count` are left."""
    while len(lab_G3) > 1:
        difference_GG = colours.difference(lab_G3[:, None], lab_G3[None])
        smaller_GG = np.minimum(counts_G[:, None], counts_G)
        cost_GG = difference_GG**2 * np.sqrt(smaller_GG)
        if len(lab_G3) <= count:
            cost_GG = np.where(difference_GG < _ALIKE, cost_GG, np.inf)
        np.fill_diagonal(cost_GG, np.inf)
        kept, merged = np.unravel_index(cost_GG.argmin(), cost_GG.shape)
        if not np.isfinite(cost_GG[kept, merged]):
            break
        total = counts_G[kept] + counts_G[merged]
        lab_G3[kept] = (counts_G[kept] * lab_G3[kept] + counts_G[merged] * lab_G3[merged]) / total
        counts_G[kept] = total
        lab_G3, counts_G = np.delete(lab_G3, merged, 0), np.delete(counts_G, merged)
    return lab_G3

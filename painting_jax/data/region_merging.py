"""Merging of superpixels into a few regions that differ along their borders."""

import numpy as np

MOST = 8  # maximum number of regions
_ALIKE = 9.0  # Lab distance of colours, or contrast along a border, below which regions are one
_SAME = 3.0  # Lab distance below which regions that do not touch are one
LEAST = 0.012  # minimum area of a region, as a share of the picture
_THIN = 0.02  # minimum mean width of a region, as a share of the picture's side


def merged(seeds_HW: np.ndarray, lab_HWC: np.ndarray) -> np.ndarray:
    """Merges superpixels until a few distinct regions remain, none too small or too thin.

    Two regions are as different as their mean colours are, and at most as different as the colours
    on both sides of their common border. A gradient, whose ends differ and which has no border, is
    therefore one region, and so is a texture, which has many borders and one mean colour. The pair
    whose union costs least is merged first: the squared difference, weighted by area as in Ward's
    criterion.

    Args:
      seeds_HW: Superpixels, non-negative integers.
      lab_HWC: Picture in CIE Lab.

    Returns:
      Labels 0..K-1, K at most 8.
    """
    seeds_HW = np.unique(seeds_HW, return_inverse=True)[1].reshape(seeds_HW.shape)
    area_K = np.bincount(seeds_HW.ravel()).astype(np.float64)
    count = len(area_K)
    mean_KC = means(lab_HWC, seeds_HW, area_K)
    border_KK, contrast_KK = _borders(seeds_HW, lab_HWC, count)
    round_K = border_KK.sum(1)
    side = np.sqrt(seeds_HW.size)

    def price(k):
        """Cost of merging regions k with each other region, and how different they are."""
        apart_K = np.sqrt(((mean_KC[k][..., None, :] - mean_KC) ** 2).sum(-1))
        touching_K = border_KK[k] > 0
        contrast_K = (contrast_KK[k] / np.maximum(border_KK[k], 1)) ** 2
        differ_K = np.where(touching_K, np.minimum(apart_K, contrast_K + 0.05 * apart_K), apart_K)
        ward_K = differ_K**2 * area_K[k][..., None] * area_K / (area_K[k][..., None] + area_K)
        shared_K = border_KK[k] / np.maximum(np.minimum(round_K[k][..., None], round_K), 1)
        # A long common border lowers the cost, so that halos along an edge join their region.
        cost_K = ward_K / (0.25 + shared_K)
        return np.where(touching_K | (apart_K < _SAME), cost_K, np.inf), differ_K

    cost_KK, differ_KK = price(np.arange(count))
    np.fill_diagonal(cost_KK, np.inf)
    parent_K = np.arange(count)
    for alive in range(count, 1, -1):
        wanted_KK = cost_KK
        if alive <= MOST:
            # A border of the picture does not make a region thin.
            small_K = (area_K < LEAST * seeds_HW.size) | (2 * area_K < _THIN * side * round_K)
            touching_KK = border_KK > 0
            free_KK = (differ_KK < _ALIKE) | ((small_K[:, None] | small_K) & touching_KK)
            wanted_KK = np.where(free_KK, cost_KK, np.inf)
        keep, gone = divmod(int(wanted_KK.argmin()), count)
        if not np.isfinite(wanted_KK[keep, gone]):
            break
        area = area_K[keep] + area_K[gone]
        mean_KC[keep] = (area_K[keep] * mean_KC[keep] + area_K[gone] * mean_KC[gone]) / area
        area_K[keep] = area
        for sums_KK in (border_KK, contrast_KK):
            sums_KK[keep] += sums_KK[gone]
            sums_KK[:, keep] = sums_KK[keep]
            sums_KK[keep, keep] = sums_KK[gone] = sums_KK[:, gone] = 0
        round_K[keep] = border_KK[keep].sum()
        cost_KK[keep], differ_KK[keep] = price(keep)
        cost_KK[keep, keep] = np.inf
        merged_away = parent_K == gone
        parent_K[merged_away] = keep
        cost_KK[keep, parent_K != np.arange(count)] = np.inf
        cost_KK[:, keep], differ_KK[:, keep] = cost_KK[keep], differ_KK[keep]
        cost_KK[gone] = cost_KK[:, gone] = np.inf
    return np.unique(parent_K, return_inverse=True)[1][seeds_HW]


def means(values_HWC: np.ndarray, labels_HW: np.ndarray, area_K: np.ndarray) -> np.ndarray:
    """Mean values of each label, [K, C]."""
    sums = [
        np.bincount(labels_HW.ravel(), channel.ravel()) for channel in np.rollaxis(values_HWC, 2)
    ]
    return np.stack(sums, -1) / np.maximum(area_K, 1)[:, None]


def _borders(
    seeds_HW: np.ndarray, lab_HWC: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of common borders in pixels, and the sums of the contrast along them, [K, K].

    Sums are of square roots, so that a thin line that crosses a border counts little. The contrast
    is that of a picture of 96 pixels, in whose smaller copies gradients are steeper.
    """
    border_KK, contrast_KK = np.zeros((2, count * count))
    for turn in (False, True):
        labels_YX = seeds_HW.T if turn else seeds_HW
        lab_YXC = lab_HWC.swapaxes(0, 1) if turn else lab_HWC
        lab_YXC = np.pad(lab_YXC, ((1, 1), (0, 0), (0, 0)), "edge")
        # One pixel further from the border on each side, since borders of photos are soft.
        jump_YX = ((lab_YXC[:-3] - lab_YXC[3:]) ** 2).sum(-1) ** 0.25
        differ_YX = labels_YX[1:] != labels_YX[:-1]
        pair_P = (labels_YX[1:] * count + labels_YX[:-1])[differ_YX]
        border_KK += np.bincount(pair_P, minlength=count**2)
        contrast_KK += np.bincount(pair_P, jump_YX[differ_YX], minlength=count**2)
    contrast_KK *= min(1.0, max(seeds_HW.shape) / 96) ** 0.5
    border_KK, contrast_KK = (x.reshape(count, count) for x in (border_KK, contrast_KK))
    return border_KK + border_KK.T, contrast_KK + contrast_KK.T

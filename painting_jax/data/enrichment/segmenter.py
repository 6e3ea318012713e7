"""Segments of the finished picture by a network of transformers, such as a Mask2Former."""

import numpy as np
from PIL import Image

from painting_jax.data import video
from painting_jax.data.enrichment.network import Network, loaded, refusals_told
from painting_jax.data.region_borders import smoothly_resized, without_specks
from painting_jax.data.region_merging import LEAST, MOST
from painting_jax.data.segmentation import in_painting_order

_SIDE = 512  # longer side of the map, in pixels: there is one for each of a hundred queries
_SPECK = 0.003  # as in `segmentation`


class Segmenter:
    """Finds regions, in the form of `segmentation.segment`."""

    def __init__(self, network: Network, threads: int | None = None):
        """Loads a network of `AutoModelForUniversalSegmentation` that makes panoptic maps.

        Raises:
          UserError: If it is another one, or needs code of its own.
        """
        self._model, self._processor = loaded(
            network, "segments", "AutoModelForUniversalSegmentation", "AutoImageProcessor", threads
        )
        self._network = network

    def __call__(self, picture_HWC: np.ndarray) -> np.ndarray | None:
        """Segments a picture, uint8[H, W, 3].

        Returns:
          uint8[H, W] with labels 1..K, K at most 8, in painting order; None if it found nothing.
          What belongs to no region that it names is a region, too.

        Raises:
          UserError: If the network fails.
        """
        small_HWC = video.shrink(picture_HWC, _SIDE)
        with refusals_told(self._network, "segments"):
            map_HW = self._panoptic(small_HWC)
        if not map_HW.any():
            return None
        labels_HW = joined(without_specks(map_HW, _SPECK))
        labels_HW = smoothly_resized(labels_HW, picture_HWC.shape[:2])
        return in_painting_order(labels_HW, picture_HWC)

    def _panoptic(self, picture_HWC: np.ndarray) -> np.ndarray:
        """Numbers from 1 of what was found, 0 elsewhere."""
        import torch  # noqa: PLC0415

        inputs = self._processor(images=Image.fromarray(picture_HWC), return_tensors="pt")
        with torch.inference_mode():
            outputs = self._model(**inputs.to(self._model.device))
        [found] = self._processor.post_process_panoptic_segmentation(
            outputs, target_sizes=[picture_HWC.shape[:2]]
        )
        # What marks the rest of the picture differs between networks.
        names = [segment["id"] for segment in found["segments_info"]]
        map_HW = found["segmentation"].cpu().numpy()
        return sum((number * (map_HW == name) for number, name in enumerate(names, 1)), 0 * map_HW)


def joined(labels_HW: np.ndarray) -> np.ndarray:
    """Regions with the smallest joined to the neighbour of its longest border.

    Until none is too small and there are no more than the embedded segmentation finds.

    Args:
      labels_HW: Labels, non-negative integers.

    Returns:
      Labels 0..K-1, K at most 8.
    """
    shape = labels_HW.shape
    labels_P = np.unique(labels_HW, return_inverse=True)[1].reshape(-1)
    labels_HW, count = labels_P.reshape(shape), int(labels_P.max()) + 1
    area_K = np.bincount(labels_P).astype(np.float64)
    border_KK = np.zeros((count, count))
    for one, other in (
        (labels_HW[1:], labels_HW[:-1]),
        (labels_HW[:, 1:], labels_HW[:, :-1]),
    ):
        np.add.at(border_KK, (one.ravel(), other.ravel()), 1)
    border_KK += border_KK.T
    np.fill_diagonal(border_KK, 0)
    into_K = np.arange(count)
    for alive in range(count, 1, -1):
        gone = int(area_K.argmin())
        if alive <= MOST and area_K[gone] >= LEAST * labels_HW.size:
            break
        keep = int(border_KK[gone].argmax())
        area_K[keep] += area_K[gone]
        area_K[gone] = np.inf
        border_KK[keep] += border_KK[gone]
        border_KK[:, keep] = border_KK[keep]
        border_KK[gone] = border_KK[:, gone] = border_KK[keep, keep] = 0
        into_K[into_K == gone] = keep
    return np.unique(into_K, return_inverse=True)[1][labels_HW]

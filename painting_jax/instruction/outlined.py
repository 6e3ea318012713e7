"""The outline of what changed in a step, as the path of an SVG."""

import cv2
import numpy as np

_SIDE = 256  # longer side at which it is drawn, in pixels
_SPECK = 0.002  # area of a spot that is left out, as a share of the picture
_MOST = 40  # spots, the largest
_BESIDE = 3.0  # pixels


def path(changed_HW: np.ndarray) -> str:
    """SVG path data around a mask, in its pixels; "" if nothing of size changed."""
    height, width = changed_HW.shape
    fitted = min(1.0, _SIDE / max(height, width))
    shape = max(1, round(width * fitted)), max(1, round(height * fitted))
    small_HW = cv2.resize(changed_HW.astype(np.uint8) * 255, shape, interpolation=cv2.INTER_AREA)
    # Strokes that lie side by side are one place, and single ones are none.
    dense_HW = cv2.GaussianBlur(small_HW, (0, 0), _BESIDE) > 110
    closed_HW = dense_HW.astype(np.uint8)
    if not dense_HW.any():
        # Lines alone.
        closed_HW = cv2.dilate((small_HW > 48).astype(np.uint8), np.ones((3, 3), np.uint8))
    found, _ = cv2.findContours(closed_HW, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    least = _SPECK * closed_HW.size
    large = sorted((c for c in found if cv2.contourArea(c) >= least), key=cv2.contourArea)
    across, down = width / shape[0], height / shape[1]
    parts = []
    for contour in reversed(large[-_MOST:]):
        points_P2 = cv2.approxPolyDP(contour, 0.6, closed=True)[:, 0]
        if len(points_P2) >= 3:
            at = [f"{(x + 0.5) * across:.0f} {(y + 0.5) * down:.0f}" for x, y in points_P2]
            parts.append(f"M{'L'.join(at)}Z")
    return "".join(parts)

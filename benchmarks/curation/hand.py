"""A hand with a brush, and the shadow of both: sprites of known shape."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

_SKIN = ((224, 172, 138), (141, 85, 54), (198, 134, 98), (255, 219, 189))
_SLEEVES = ((60, 70, 110), (200, 190, 180), (35, 35, 38), (120, 30, 40))
_DARKEST = 0.4  # share of the light that the shadow takes
_SEEN = 0.04  # share from which on it counts as a shadow


class Hand:
    """A hand with a brush that comes from the lower right.

    Args:
      rng: Draws skin, sleeve, handle and size.
      scale: Size, relative to a film of 360 rows.
      shadow: Whether it throws one.
    """

    def __init__(self, rng: np.random.Generator, scale: float, shadow: bool = True):
        self._darkest = _DARKEST if shadow else 0.0
        self._skin = _SKIN[rng.integers(len(_SKIN))]
        self._sleeve = _SLEEVES[rng.integers(len(_SLEEVES))]
        self._handle = tuple(rng.integers(40, 200, 3))
        self._scale = scale * rng.uniform(0.8, 1.2)

    def over(self, frame_HWC: np.ndarray, tip_2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The frame with the hand whose brush touches the tip (x, y), and where both lie.

        Args:
          frame_HWC: float, 0..255.
          tip_2: Where the brush ends.

        Returns:
          The frame, and a mask of hand, brush and shadow, bool[H, W].
        """
        height, width = frame_HWC.shape[:2]
        colour, cover = Image.new("RGB", (width, height)), Image.new("L", (width, height))
        far_2 = tip_2 + self._scale * np.array([70, 62])
        elbow_2 = tip_2 + self._scale * np.array([330, 420])
        for draw, paints in (
            (ImageDraw.Draw(colour), (self._handle, self._sleeve, self._skin)),
            (ImageDraw.Draw(cover), (255, 255, 255)),
        ):
            handle, sleeve, skin = paints
            self._limb(draw, tip_2, far_2, 2.5, handle)
            self._limb(draw, far_2 + 0.25 * (elbow_2 - far_2), elbow_2, 36, sleeve)
            self._limb(draw, far_2, far_2 + 0.3 * (elbow_2 - far_2), 24, skin)
            self._blob(draw, far_2, (30, 24), skin)
            for finger in (-16, -5, 6, 16):
                self._limb(
                    draw, far_2 + np.array([finger, -10]), 0.55 * far_2 + 0.45 * tip_2, 6, skin
                )
        alpha_HW1 = np.asarray(cover, float)[..., None] / 255
        offset = (round(10 * self._scale), round(8 * self._scale))
        shadow = Image.new("L", (width, height))
        shadow.paste(cover, offset)
        shadow = shadow.filter(ImageFilter.GaussianBlur(5 * self._scale))
        dark_HW1 = self._darkest * np.asarray(shadow, float)[..., None] / 255
        shaded_HWC = frame_HWC * (1 - dark_HW1)
        mask_HW = ((alpha_HW1 > 0.5) | (dark_HW1 > _SEEN))[..., 0]
        return shaded_HWC + alpha_HW1 * (np.asarray(colour, float) - shaded_HWC), mask_HW

    def _limb(self, draw, from_2: np.ndarray, to_2: np.ndarray, radius: float, paint) -> None:
        ends = [*map(float, from_2), *map(float, to_2)]
        draw.line(ends, fill=paint, width=max(1, round(2 * radius * self._scale)))
        self._blob(draw, to_2, (radius, radius), paint)
        self._blob(draw, from_2, (radius, radius), paint)

    def _blob(self, draw, middle_2: np.ndarray, radii: tuple[float, float], paint) -> None:
        half_2 = self._scale * np.array(radii)
        draw.ellipse([*map(float, middle_2 - half_2), *map(float, middle_2 + half_2)], fill=paint)

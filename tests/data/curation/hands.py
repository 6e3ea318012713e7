"""Drawn pictures of a hand with a tool before a sheet, and where they lie."""

import cv2
import numpy as np

SKINS = ((224, 172, 138), (141, 85, 54), (198, 134, 98))
HEIGHT, WIDTH = 360, 480


def paper(seed: int = 0, strokes: int = 6) -> np.ndarray:
    """A sheet with curved strokes of paint, uint8[H, W, 3]."""
    rng = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH, 3), (238, 236, 230), np.uint8)
    for _ in range(strokes):
        start = rng.uniform((30, 30), (WIDTH - 30, HEIGHT - 30))
        way = np.cumsum(rng.normal(0, 14, (12, 2)) + rng.normal(0, 9, 2), 0)
        colour = tuple(int(c) for c in rng.choice([(40, 90, 160), (30, 120, 60), (40, 40, 45)]))
        cv2.polylines(picture, [np.rint(start + way).astype(int)], False, colour, 7, cv2.LINE_AA)
    return picture


def with_hand(
    picture: np.ndarray,
    *,
    angle: float,
    skin: tuple[int, int, int],
    handle: tuple[int, int, int],
    tip: tuple[int, int, int],
    thickness: int = 9,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The picture with an arm from the right that holds a tool.

    Args:
      picture: What lies behind.
      angle: Direction of the tool's tip in degrees; 90 is downwards, 180 to the left.
      skin: Colour of hand and arm.
      handle: Colour of the tool.
      tip: Colour of its last part.
      thickness: Of the tool, in pixels.
      seed: Seed of noise.

    Returns:
      The picture, where the hand lies, and where the tool is seen.
    """
    hand, tool = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(hand, [np.array([(300, 120), (WIDTH, 70), (WIDTH, 190), (300, 210)])], 1)
    cv2.ellipse(hand, (280, 165), (60, 48), 10, 0, 360, 1, -1)
    for y, x in ((140, 205), (165, 195), (190, 205)):
        cv2.line(hand, (260, y), (x, y), 1, 22)
    grip, way = (
        np.array([215.0, 152.0]),
        np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]),
    )
    far, near, back = grip + 120 * way, grip + 85 * way, grip - 90 * way
    drawn = picture.copy()
    shade = np.linspace(0.85, 1.05, HEIGHT)[:, None, None]
    drawn = np.where(hand[..., None] > 0, np.clip(np.array(skin) * shade, 0, 255), drawn).astype(
        np.uint8
    )

    def at(point: np.ndarray) -> tuple[int, int]:
        return tuple(int(v) for v in np.rint(point))

    cv2.line(drawn, at(back), at(near), handle, thickness, cv2.LINE_AA)
    cv2.line(drawn, at(near), at(far), tip, thickness, cv2.LINE_AA)
    cv2.line(tool, at(back), at(far), 1, thickness)
    # Thumb and finger lie over it.
    for point in (grip + np.array([22, 0]), grip + np.array([10, 14])):
        cv2.circle(drawn, at(point), 17, tuple(int(0.95 * c) for c in skin), -1, cv2.LINE_AA)
        cv2.circle(hand, at(point), 17, 1, -1)
        cv2.circle(tool, at(point), 17, 0, -1)
    rng = np.random.default_rng(seed)
    noisy = cv2.GaussianBlur(drawn, (0, 0), 0.8) + rng.normal(0, 3, drawn.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), hand > 0, tool > 0

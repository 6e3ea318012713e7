"""Measures what networks that are told what to look for add to motion, if they are right.

  python -m benchmarks.curation.named

No weights are needed: the truth stands for a network that finds the hand and the tool to the pixel,
but no shadow, in every frame or in every fourth, and misses every fifth of them or none. The films
are those of `film`, from the front. Found: share of the pixels of hands, tools and shadows. Wrong:
share of the frame that is taken for one. PSNR: of the restored frames to the true canvas, in dB.
"""

import dataclasses

import cv2
import numpy as np

from benchmarks import machine, table
from benchmarks.curation.film import Shooting, shot
from painting_jax import cli
from painting_jax.data import painter, photos, pictures
from painting_jax.data.curation import canvas, filling, occluders, prompted

_SIDE = 160
_MEDIA = ("oil", "watercolor", "acrylic", "pencil")
_SHOOTING = Shooting(
    height=270,
    width=360,
    frames=110,
    titles=False,
    pause=0,
    cut=False,
    still=0,
    light=0,
    logo=False,
)
_MISSED = 0.2  # share of the frames
_GROWN = 7  # pixels that a mask alone is grown over


def main() -> None:
    """Films, masks and prints a table in markdown."""
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for number, (photo, medium) in enumerate(zip(photos.packaged(), _MEDIA, strict=False)):
        table.tell(f"{photo.name} in {medium}")
        picture_HWC = pictures.fit(pictures.load(photo.path), _SIDE, _SIDE)
        process = painter.paint(picture_HWC, medium, frames=97, seed=number).frames_THWC
        film = shot(process, _SHOOTING, seed=number)
        # The same film without the shadow: its truth is the hand alone.
        alone = shot(process, dataclasses.replace(_SHOOTING, shadow=False), seed=number)
        corners = film.corners_T42 + 0.5
        front_THWC = canvas.front(film.frames_THWC, corners, _SIDE, _SIDE)
        hidden_THW = _from_front(film.occluded_THW, corners)
        hand_THW = _from_front(alone.occluded_THW, corners)
        for way, mask_THW in _ways(front_THWC, hand_THW, np.random.default_rng(number)).items():
            rows.setdefault(way, []).append(
                (
                    (mask_THW & hidden_THW).sum() / hidden_THW.sum(),
                    (mask_THW & ~hidden_THW).mean(),
                    _psnr(filling.filled(front_THWC, mask_THW), film.clean_THWC),
                )
            )
    print("| | found | wrong | PSNR |\n|---|--:|--:|--:|")
    for way, measured in rows.items():
        found, wrong, psnr = np.mean(measured, axis=0)
        print(f"| {way} | {found:.1%} | {wrong:.1%} | {psnr:.2f} |")
    print("\n" + "\n".join(f"- {line}" for line in machine.describe()))


def _from_front(masks_THW: np.ndarray, corners_T42: np.ndarray) -> np.ndarray:
    shown_THWC = 255 * masks_THW[..., None].repeat(3, -1).astype(np.uint8)
    return canvas.front(shown_THWC, corners_T42, _SIDE, _SIDE)[..., 0] > 127


def _ways(
    front_THWC: np.ndarray, hand_THW: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    count = len(front_THWC)
    motion_THW = occluders.occluded(front_THWC)
    moving_THW = occluders.occluded(front_THWC, from_outside=False)
    ways = {"motion alone": motion_THW}
    missed_T = rng.random(count) < _MISSED
    around = np.ones((_GROWN, _GROWN), np.uint8)
    for told, hides in (("", np.zeros(count, bool)), (", a fifth missed", missed_T)):
        seen_THW = hand_THW & ~hides[:, None, None]
        ways[f"network alone{told}"] = np.stack(
            [cv2.dilate(seen_HW.astype(np.uint8), around) > 0 for seen_HW in seen_THW]
        )
        for stride in (1, 4):
            looked_N = np.unique([*range(0, count, stride), count - 1])
            joined_THW = prompted.joined(front_THWC, looked_N, seen_THW[looked_N], moving_THW)
            frames = "every frame" if stride == 1 else f"every {stride}th frame"
            ways[f"joined, {frames}{told}"] = joined_THW
            if stride == 1:
                ways[f"all of both, {frames}{told}"] = joined_THW | motion_THW
    return ways


def _psnr(frames_THWC: np.ndarray, clean_THWC: np.ndarray) -> float:
    # After one gain a channel: nobody knows how bright the light was.
    gains_3 = np.median((clean_THWC + 8.0) / (frames_THWC + 8.0), (0, 1, 2))
    return float(10 * np.log10(255**2 / np.mean((gains_3 * frames_THWC - clean_THWC) ** 2)))


if __name__ == "__main__":
    cli.run(main)

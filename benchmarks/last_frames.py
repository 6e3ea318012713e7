"""Measures how far the packaged weights' last frames are from their pictures, over all kinds.

  python -m benchmarks.last_frames
  python -m benchmarks.last_frames --pictures=DIR --workdir=RUN

Photos from installed packages, in several tones, and pictures that are drawn here: flat graphics,
line art, charts and lettering, most of them on white. None was trained on. With --pictures, those
of a folder are measured, too.
"""

import pathlib
from collections.abc import Iterator

import numpy as np
from absl import flags
from PIL import Image, ImageDraw, ImageFont

from benchmarks import machine, packaged, table
from painting_jax import cli
from painting_jax.data import photos, pictures, tones
from painting_jax.generation import final_frame

_WORKDIR = flags.DEFINE_string("workdir", None, "Run to measure [default: the packaged weights].")
_PICTURES = flags.DEFINE_multi_string("pictures", [], "Folder of further pictures.")
_SIZE = flags.DEFINE_integer("size", 384, "Longer side of the paintings in pixels.")
_MEDIA = flags.DEFINE_list("media", ["oil", "watercolor"], "Media to paint in.")

_SIDE = 384
# Tones in which every other photo is measured, besides its own.
_TONES = tuple(tones.HELD_OUT)
_GOAL = 6.0  # of 255


def main() -> None:
    """Paints all pictures in all media, then prints a table in markdown."""
    run = packaged.load(_WORKDIR.value)
    rows, warned = [], 0
    for kind, name, picture_HWC in _pictures():
        table.tell(f"{kind}: {name}")
        errors = []
        for painted in packaged.paint(run, picture_HWC, _MEDIA.value, size=_SIZE.value):
            errors.append(final_frame.difference(painted))
            warned += final_frame.warning(painted, errors[-1]) is not None
        rows.append((kind, name, errors))
    print(f"| kind | picture | {' | '.join(_MEDIA.value)} |")
    print("|---|---|" + "--:|" * len(_MEDIA.value))
    for kind, name, errors in rows:
        print(f"| {kind} | {name} | {' | '.join(f'{error:.2f}' for error in errors)} |")
    every_N = np.array([error for *_, errors in rows for error in errors])
    print(
        f"\nMean absolute error of the last frame, of 255, over {len(rows)} pictures: median "
        f"{np.median(every_N):.2f}, largest {every_N.max():.2f}; {(every_N > _GOAL).sum()} of "
        f"{len(every_N)} paintings above {_GOAL:g}, {warned} with a warning\n"
    )
    for line in machine.describe():
        print(f"- {line}")


def _pictures() -> Iterator[tuple[str, str, np.ndarray]]:
    """Kind, name and uint8 RGB of each picture."""
    for number, photo in enumerate(photos.packaged()):
        photo_HWC = pictures.shrunk(pictures.load(photo.path), _SIDE)
        name = pathlib.Path(photo.path).stem
        yield "photo", name, photo_HWC
        tone = _TONES[number % len(_TONES)]
        yield tone, name, tones.HELD_OUT[tone](photo_HWC)
    for name, draw in DRAWN.items():
        yield "drawn", name, draw()
    for folder in _PICTURES.value:
        for path in pictures.list_pictures(folder):
            yield "given", pathlib.Path(path).stem, pictures.shrunk(pictures.load(path), _SIDE)


def _sheet(colour="white") -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (_SIDE, _SIDE), colour)
    return image, ImageDraw.Draw(image)


def _flag() -> np.ndarray:
    image, draw = _sheet("#f6d32d")
    draw.rectangle((0, 0, _SIDE, 128), fill="#1a5fb4")
    draw.rectangle((0, 256, _SIDE, _SIDE), fill="#c01c28")
    draw.ellipse((142, 142, 242, 242), fill="white")
    return np.asarray(image)


def _logo() -> np.ndarray:
    image, draw = _sheet()
    draw.rounded_rectangle((72, 72, 312, 312), 48, fill="#2ec27e")
    draw.polygon([(150, 130), (260, 192), (150, 254)], fill="white")
    return np.asarray(image)


def _chart() -> np.ndarray:
    image, draw = _sheet()
    for n, height in enumerate((90, 210, 150, 280, 240)):
        draw.rectangle(
            (52 + 58 * n, 330 - height, 92 + 58 * n, 330), fill=f"hsl({60 * n}, 70%, 55%)"
        )
    draw.line((36, 330, 350, 330), fill="black", width=4)
    draw.line((36, 30, 36, 330), fill="black", width=4)
    return np.asarray(image)


def _lettering() -> np.ndarray:
    image, draw = _sheet()
    draw.text((36, 90), "PAINT", fill="black", font=ImageFont.load_default(110))
    draw.text((36, 220), "as people do", fill="#c01c28", font=ImageFont.load_default(52))
    return np.asarray(image)


def _line_art() -> np.ndarray:
    image, draw = _sheet()
    draw.ellipse((92, 60, 292, 300), outline="black", width=4)
    draw.ellipse((142, 140, 172, 165), outline="black", width=4)
    draw.ellipse((212, 140, 242, 165), outline="black", width=4)
    draw.arc((142, 190, 242, 260), 20, 160, fill="black", width=4)
    draw.line((92, 330, 292, 330), fill="black", width=4)
    return np.asarray(image)


def _white() -> np.ndarray:
    return np.full((_SIDE, _SIDE, 3), 255, np.uint8)


def _black() -> np.ndarray:
    return np.zeros((_SIDE, _SIDE, 3), np.uint8)


def _gradient() -> np.ndarray:
    x = np.linspace(0, 1, _SIDE)
    y = x[:, None]
    channels = np.broadcast_arrays(0.3 + 0.7 * x, 0.9 - 0.6 * y, 0.5 + 0.5 * x * y)
    return (255 * np.stack(channels, -1) + 0.5).astype(np.uint8)


def _checks() -> np.ndarray:
    place = np.arange(_SIDE) // 48
    dark_HW = (place + place[:, None]) % 2 == 0
    return np.where(dark_HW[..., None], (30, 60, 110), (250, 235, 200)).astype(np.uint8)


def _balls() -> np.ndarray:
    image, draw = _sheet("#f4f1ea")
    for n, colour in enumerate(("#e66100", "#813d9c", "#26a269", "#1c71d8")):
        for shade in range(40):
            side = 44 - shade
            centre = (112 + 160 * (n % 2) - shade // 3, 112 + 160 * (n // 2) - shade // 3)
            lighter = Image.blend(
                Image.new("RGB", (1, 1), colour), Image.new("RGB", (1, 1), "white"), shade / 50
            ).getpixel((0, 0))
            box = (centre[0] - side, centre[1] - side, centre[0] + side, centre[1] + side)
            draw.ellipse(box, fill=lighter)
    return np.asarray(image)


def _night() -> np.ndarray:
    image, draw = _sheet("#0a1024")
    rng = np.random.default_rng(0)
    for x, y in rng.integers(0, _SIDE, (80, 2)):
        draw.ellipse((x, y, x + 3, y + 3), fill="#ffe9b0")
    draw.ellipse((260, 50, 320, 110), fill="#f6f5f4")
    return np.asarray(image)


def _snow() -> np.ndarray:
    image, draw = _sheet("#eef3f8")
    draw.polygon([(0, 260), (130, 150), (250, 260)], fill="#dfe7ef")
    draw.polygon([(160, 280), (290, 120), (384, 240), (384, 384), (0, 384)], fill="#f9fbfd")
    return np.asarray(image)


def _noise() -> np.ndarray:
    rng = np.random.default_rng(1)
    return pictures.resize(rng.integers(0, 256, (48, 48, 3), np.uint8), _SIDE, _SIDE)


def _poster() -> np.ndarray:
    image, draw = _sheet("#fce94f")
    draw.polygon([(192, 40), (344, 344), (40, 344)], fill="#204a87")
    draw.ellipse((142, 190, 242, 290), fill="#ef2929")
    return np.asarray(image)


DRAWN = {
    "balls": _balls,
    "black": _black,
    "chart": _chart,
    "checks": _checks,
    "flag": _flag,
    "gradient": _gradient,
    "lettering": _lettering,
    "line art": _line_art,
    "logo": _logo,
    "night": _night,
    "noise": _noise,
    "poster": _poster,
    "snow": _snow,
    "white": _white,
}


if __name__ == "__main__":
    cli.run(main)

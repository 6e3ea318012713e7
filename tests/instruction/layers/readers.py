"""What other programs make of layers, written a second way: by Pillow and by psd-tools."""

import io
import zipfile
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from psd_tools import PSDImage


def composed(layers, height, width):
    """The picture after each of `cutting.Layer`s, as Pillow composes them: uint8[S, H, W, 3]."""
    placed = [(layer.pixels_HW4, layer.left, layer.top) for layer in layers]
    return _composed([(Image.fromarray(pixels), *at) for pixels, *at in placed], height, width)


def composed_ora(path):
    """The picture after each layer of an .ora file, read by its specification."""
    with zipfile.ZipFile(path) as file:
        image = ElementTree.fromstring(file.read("stack.xml"))
        placed = [
            (
                Image.open(io.BytesIO(file.read(one.get("src")))),
                int(one.get("x")),
                int(one.get("y")),
            )
            for one in reversed(image.find("stack"))
        ]
    return _composed(placed, int(image.get("h")), int(image.get("w")))


def composed_psd(path):
    """The picture that psd-tools composes of the layers of a .psd file: uint8[H, W, 3]."""
    document = PSDImage.open(path)
    return np.asarray(document.composite(force=True).convert("RGB"))


def psnr(picture, expected):
    """Peak signal-to-noise ratio in decibels; infinite for equal pictures."""
    error = np.mean((picture.astype(float) - expected.astype(float)) ** 2)
    return np.inf if error == 0 else 10 * np.log10(255**2 / error)


def _composed(placed, height, width):
    canvas, states = Image.new("RGBA", (width, height)), []
    for image, left, top in placed:
        whole = Image.new("RGBA", canvas.size)
        whole.paste(image, (left, top))
        canvas = Image.alpha_composite(canvas, whole)
        states.append(np.asarray(canvas))
    assert (states[-1][..., 3] == 255).all()
    return np.stack(states)[..., :3]

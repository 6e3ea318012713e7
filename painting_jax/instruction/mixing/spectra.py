"""The measured numbers in `pigments.json`: wavelengths, the observer, the paper, the pigments."""

import functools
import importlib.resources
from typing import Any

import numpy as np

from painting_jax import json_text


@functools.cache
def data() -> dict[str, Any]:
    """The file's content; "sources" says where each number is from, and under which licence."""
    folder = importlib.resources.files("painting_jax.instruction.mixing")
    return json_text.parse((folder / "pigments.json").read_bytes())


def wavelengths() -> np.ndarray:
    """Wavelengths in nm, int64[W]: 400, 410, ... 700."""
    return np.array(data()["wavelengths"])


@functools.cache
def xyz_under_d65() -> np.ndarray:
    """Weights [W, 3] from reflectances to CIE XYZ under D65, 2 degree observer; white has Y = 1."""
    return np.array(data()["xyz_under_D65"])


def paper() -> np.ndarray:
    """Reflectance of the paper under the watercolours, float64[W], 0..1."""
    return np.array(data()["paper"])

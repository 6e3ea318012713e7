"""What differs most is told as a person sees it: lightness, hue, strength, and what is missing."""

import re

import numpy as np
import pytest
from scipy import ndimage
from skimage import color, data

from painting_jax.data import pictures
from painting_jax.studio import differences
from painting_jax.studio.regions import Regions

STEP = pictures.shrunk(data.chelsea(), 320)
HEIGHT, WIDTH = STEP.shape[:2]
# Upper left and lower right, as two regions beside a third.
LABELS = np.full((HEIGHT, WIDTH), 3, np.uint8)
LABELS[: HEIGHT // 2, : WIDTH // 2] = 1
LABELS[HEIGHT // 2 :, WIDTH // 2 :] = 2
REGIONS = Regions(STEP, LABELS)


def changed(region: int, lightness: float = 0.0, b: float = 0.0, chroma: float = 1.0):
    """The step with other colours in a region."""
    lab_HWC = color.rgb2lab(STEP)
    inside_HW = region == LABELS
    lab_HWC[inside_HW] = lab_HWC[inside_HW] * (1, chroma, chroma) + (lightness, 0, b)
    return (255 * color.lab2rgb(lab_HWC)).round().astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lightness": -15}, "your canvas is darker there"),
        ({"lightness": 15}, "your canvas is lighter there"),
        ({"b": -22}, "your canvas is bluer there"),
        ({"chroma": 0.2}, "your canvas is duller there"),
        ({"chroma": 2.2}, "your canvas is stronger in colour there"),
        ({"lightness": -30, "b": -22}, "your canvas is darker and bluer there"),
    ],
)
def test_lightness_hue_and_strength_are_told_apart(change, said):
    found = differences.most(changed(2, **change), STEP, 4, REGIONS)
    assert found.said.endswith(said)
    assert found.region == 2


def test_details_that_are_missing_are_said():
    canvas_HWC = STEP.copy()
    soft_HWC = ndimage.gaussian_filter(STEP, (6, 6, 0))
    canvas_HWC[LABELS == 1] = soft_HWC[LABELS == 1]
    found = differences.most(canvas_HWC, STEP, 4, REGIONS)
    assert found.region == 1
    assert found.said.endswith("your canvas has fewer details there")


def test_the_place_is_outlined_inside_its_region():
    found = differences.most(changed(2, lightness=-25), STEP, 4, REGIONS)
    numbers = np.array([float(x) for x in re.findall(r"[\d.]+", found.path)]).reshape(-1, 2)
    middle_2 = np.array(found.shape[::-1]) / 2
    assert len(numbers) > 3
    assert (numbers >= middle_2 - 4).all()


def test_the_same_canvas_in_grain_does_not_differ():
    rng = np.random.default_rng(0)
    noise_HWC = rng.normal(0, 6, STEP.shape)
    grainy_HWC = (STEP + noise_HWC).clip(0, 255).astype(np.uint8)
    found = differences.most(grainy_HWC, STEP, 4, REGIONS)
    assert found == differences.Difference("nothing differs much from step 4")

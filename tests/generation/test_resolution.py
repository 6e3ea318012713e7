"""The sizes of videos, against what diffusers' examples of Wan make of a picture."""

import numpy as np
import pytest

from painting_jax.errors import UserError
from painting_jax.generation import resolution


class Codec:
    """The extents of Wan2.2's autoencoder."""

    channels, spatial, temporal = 48, 16, 4


@pytest.mark.parametrize("multiple", [16, 32])
@pytest.mark.parametrize("shape", [(480, 832), (1080, 1920), (1500, 1000), (333, 777), (64, 64)])
def test_a_picture_is_fitted_as_in_the_examples_of_diffusers(shape, multiple):
    area, aspect = 480 * 832, shape[0] / shape[1]
    expected = (
        round(np.sqrt(area * aspect)) // multiple * multiple,
        round(np.sqrt(area / aspect)) // multiple * multiple,
    )
    assert resolution.fitted(shape, area, multiple) == expected


def test_very_long_pictures_have_at_least_one_multiple_across():
    assert resolution.fitted((10, 100_000), 480 * 832, 16) == (16, 63184)


def test_one_side_that_is_asked_for_decides_the_other():
    assert resolution.completed((600, 900), 480, None, 1, 16) == (480, 720)
    assert resolution.completed((600, 900), None, 480, 1, 16) == (320, 480)
    assert resolution.completed((600, 900), 480, 480, 1, 16) == (480, 480)


@pytest.mark.parametrize(
    ("asked", "said"),
    [((470, None), "--height=470.*multiples of 16, such as 464"), ((None, -16), "--width=-16")],
)
def test_sides_that_are_no_multiples_are_refused(asked, said):
    with pytest.raises(UserError, match=said):
        resolution.completed((600, 900), *asked, 1, 16)


@pytest.mark.parametrize("frames", [1, 4, 80, 82])
def test_frames_that_fill_no_latents_are_refused(frames):
    with pytest.raises(UserError, match=r"4k\+1 frames, such as"):
        resolution.check_frames(frames, Codec)


def test_latents_are_as_many_as_the_autoencoder_makes():
    assert resolution.latents_shape(Codec, 13, 64, 32) == (4, 4, 2, 48)


@pytest.mark.parametrize(
    ("name", "shift", "size", "why"),
    [
        ("Wan-AI/Wan2.1-I2V-14B-480P-Diffusers", 3.0, (480, 832), "as its name says"),
        ("Wan-AI/Wan2.1-I2V-14B-720P-Diffusers", 3.0, (720, 1280), "as its name says"),
        ("my_wan_720p", None, (720, 1280), "as its name says"),
        ("wan2.1_i2v_480p_14B", 5.0, (480, 832), "as its name says"),
        ("merged", 5.0, (720, 1280), "as its scheduler's shift of 5 is that of 720P"),
        ("merged", 3.0, (480, 832), "as nothing says that it was trained at 720P"),
        ("merged", None, (480, 832), "as nothing says that it was trained at 720P"),
        ("v1720portraits", 3.0, (480, 832), "as nothing says"),
    ],
)
def test_models_of_480_and_720_lines_are_told_apart(name, shift, size, why):
    area, note = resolution.trained_area(name, 480 * 832, shift)
    assert area == size[0] * size[1]
    assert note.startswith(f"{name} paints frames like {size[0]}x{size[1]}, {why}")
    assert "--max_area" in note


def test_of_a_family_of_one_size_nothing_is_said():
    assert resolution.trained_area("Wan2.2-TI2V-5B-720p", 704 * 1280, 5.0) == (704 * 1280, "")

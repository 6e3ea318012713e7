"""Colours against the formulas of the standards, computed here a second time."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from painting_jax.data import colour, remarks

PAINTS = ((255, 255, 255), (200, 30, 30), (30, 90, 200), (128, 128, 128), (10, 10, 10))
# Linear sRGB to linear BT.2020 (BT.2087).
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def linear(rgb) -> np.ndarray:
    code = np.asarray(rgb) / 255
    return np.where(code > 0.04045, ((code + 0.055) / 1.055) ** 2.4, code / 12.92)


def as_hlg(rgb) -> np.ndarray:
    """uint16 HLG of sRGB whose white is 203 of 1000 cd/m2 (BT.2408)."""
    display = 0.203 * linear(rgb) @ TO_2020.T
    luminance = display @ np.array([0.2627, 0.678, 0.0593])
    scene = display * np.maximum(luminance, 1e-6)[..., None] ** ((1 - 1.2) / 1.2)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    upper = a * np.log(np.maximum(12 * scene - b, 1e-6)) + c
    return (np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper) * 65535).round().astype(np.uint16)


def as_pq(rgb) -> np.ndarray:
    """uint16 PQ of sRGB whose white is 203 cd/m2."""
    y = (203 * linear(rgb) @ TO_2020.T / 10_000) ** (2610 / 16384)
    c1, c2, c3 = 3424 / 4096, 2413 / 128, 2392 / 128
    return (((c1 + c2 * y) / (1 + c3 * y)) ** (2523 / 32) * 65535).round().astype(np.uint16)


@pytest.mark.parametrize(("encode", "transfer"), [(as_hlg, colour.HLG), (as_pq, colour.PQ)])
def test_hdr_of_an_sdr_scene_becomes_that_scene(encode, transfer):
    found = colour.to_srgb(encode(np.array([PAINTS])), colour.BT2020, transfer)
    np.testing.assert_allclose(found[0], PAINTS, atol=1)


def test_highlights_become_white():
    found = colour.to_srgb(np.full((1, 1, 3), 65535, np.uint16), colour.BT2020, colour.PQ)
    np.testing.assert_array_equal(found, 255)


# Linear sRGB to linear Display P3 and to linear Adobe RGB (CSS Color 4).
TO_P3 = np.array([[0.82246, 0.17754, 0], [0.03320, 0.96680, 0], [0.01708, 0.07240, 0.91052]])
_TO_ADOBE = np.array([[0.71512, 0.28488, 0], [0, 1, 0], [0, 0.04116, 0.95884]])


def test_display_p3_and_adobe_rgb_become_srgb():
    light = linear(np.array([PAINTS]))
    p3 = light @ TO_P3.T
    p3 = np.where(p3 > 0.0031308, 1.055 * p3 ** (1 / 2.4) - 0.055, 12.92 * p3)
    found = colour.to_srgb((255 * p3).round().astype(np.uint8), colour.DISPLAY_P3, 13)
    np.testing.assert_allclose(found[0], PAINTS, atol=2)
    adobe = (light @ _TO_ADOBE.T) ** (256 / 563)
    found = colour.from_adobe_rgb((255 * adobe).round().astype(np.uint8))
    np.testing.assert_allclose(found[0], PAINTS, atol=2)


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 1), (2, 2), (6, 6), (5, 4), (1, 13)])
def test_srgb_and_standard_television_stay_as_they_are(primaries, transfer):
    codes = np.arange(256, dtype=np.uint8).reshape(1, -1, 1).repeat(3, -1)
    np.testing.assert_array_equal(colour.to_srgb(codes, primaries, transfer), codes)
    deep = codes.astype(np.uint16) * 257
    np.testing.assert_array_equal(colour.to_srgb(deep, primaries, transfer), codes)


def test_grey_stays_grey_in_every_gamut():
    codes = np.arange(256, dtype=np.uint8).reshape(1, -1, 1).repeat(3, -1)
    for primaries in (4, 8, colour.BT2020, 11, colour.DISPLAY_P3):
        np.testing.assert_allclose(colour.to_srgb(codes, primaries, 1), codes.astype(int), atol=1)


def test_linear_light_is_encoded():
    half = np.full((1, 1, 3), 32768, np.uint16)
    np.testing.assert_array_equal(colour.to_srgb(half, 1, colour.LINEAR), 188)


def test_what_is_not_converted_has_a_name():
    assert "logarithmic" in colour.unconverted(1, 9)
    assert "428" in colour.unconverted(10, 1)
    assert colour.unconverted(colour.BT2020, colour.HLG) is None


def test_gamma_of_a_png_is_followed_and_nonsense_is_remarked_on():
    codes = np.full((1, 1, 3), 128, np.uint8)
    np.testing.assert_array_equal(colour.from_png(codes, {"gamma": 0.45455}, "a"), 128)
    np.testing.assert_array_equal(colour.from_png(codes, {"gamma": 1.0}, "a"), 188)
    with remarks.collected() as notes:
        flat = {"chromaticity": (0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)}
        np.testing.assert_array_equal(colour.from_png(codes, flat, "a.png"), 128)
    assert "a.png" in notes[0]


def test_an_srgb_profile_changes_no_bit():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    found = colour.from_profile(Image.fromarray(picture), profile, "a")
    np.testing.assert_array_equal(np.asarray(found), picture)


def test_lab_becomes_rgb():
    # As in a file, where a and b have signs.
    lab = Image.frombytes("LAB", (4, 4), bytes((255, 0, 0)) * 16)
    np.testing.assert_allclose(np.asarray(colour.from_lab(lab)), 255, atol=1)


@pytest.mark.parametrize("profile", [b"", b"no profile", b"\0" * 3000])
def test_a_profile_that_cannot_be_used_is_named(profile):
    image = Image.new("RGB", (8, 8), (200, 30, 30))
    with remarks.collected() as notes:
        found = colour.from_profile(image, profile, "cat.jpg")
    np.testing.assert_array_equal(np.asarray(found)[0, 0], (200, 30, 30))
    assert "profile of cat.jpg cannot be used" in notes[0]


def test_a_profile_of_another_kind_of_picture_is_named():
    grey = io.BytesIO(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes())
    with remarks.collected() as notes:
        colour.from_profile(Image.new("RGB", (8, 8)), grey.getvalue(), "cat.jpg")
    assert notes


def _cmyk_profile() -> bytes:
    """A profile in which magenta and yellow together are (200, 30, 30), and no ink is paper."""
    red = (109, 190, 172)  # in CIE Lab of 8 bits
    nodes = {(0, 0, 0, 0): (255, 128, 128), (0, 1, 1, 0): red}
    inks = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    identity = np.eye(3).ravel()
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0))
    table += struct.pack(">9i", *(round(65536 * value) for value in identity))
    table += bytes(range(256)) * 4
    table += b"".join(bytes(nodes.get(ink, (60, 128, 128))) for ink in inks)
    table += bytes(range(256)) * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(78)
    tags, listed, body = {b"A2B0": table, b"wtpt": white, b"desc": text}, b"", b""
    at = 132 + 12 * len(tags)
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        listed += name + struct.pack(">II", at + len(body), len(value))
        body += value
    head = struct.pack(">I4s4s4s4s4s", at + len(body), bytes(4), b"\2\x10\0\0", *_PRINTER)
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return head + struct.pack(">I", len(tags)) + listed + body


_PRINTER = (b"prtr", b"CMYK", b"Lab ")


def test_a_profile_of_inks_is_followed():
    inks = np.uint8([[(0, 0, 0, 0), (0, 255, 255, 0)]]).repeat(8, 0)
    with remarks.collected() as notes:
        found = colour.from_profile(Image.fromarray(inks, "CMYK"), _cmyk_profile(), "a.jpg")
    assert not notes
    np.testing.assert_allclose(np.asarray(found)[0], [(255, 255, 255), (200, 30, 30)], atol=8)

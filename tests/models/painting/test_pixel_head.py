"""The pixel head, held against the same mixture worked out pixel by pixel."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from scipy import ndimage

from painting_jax.models import segments
from painting_jax.models.painting import pixel_guides, pixel_head
from painting_jax.models.painting.picture import Picture
from painting_jax.models.painting.pixel_head import PixelHead

DIM, SUMMARY = 16, 5
see = jax.jit(pixel_guides.paints_and_guides, static_argnums=2)


def picture(reference_BHWC, segments_BHW) -> Picture:
    """With what lies behind and a canvas for the second of two pictures."""
    rng = np.random.default_rng(1)
    other_BHWC = rng.uniform(-1, 1, (2, *reference_BHWC.shape)).astype(np.float32)
    behind_BHW = np.maximum(np.asarray(segments_BHW, int) - 1, 0).astype(np.uint8)
    return Picture(
        reference_BHWC, segments_BHW, other_BHWC[0], behind_BHW, other_BHWC[1], np.arange(2) > 0
    )


def plain(reference_BHWC, segments_BHW) -> Picture:
    """Without anything that a model need not be told."""
    return Picture(jnp.asarray(reference_BHWC), jnp.asarray(segments_BHW))


def inputs(height: int, width: int, patch: tuple[int, int, int], *, frames: int = 2):
    rng = np.random.default_rng(0)
    grid = (height // patch[1], width // patch[2])
    return {
        "tokens_BthwD": rng.normal(size=(2, frames, *grid, DIM)).astype(np.float32),
        "picture": picture(
            rng.uniform(-1, 1, (2, height, width, 3)).astype(np.float32),
            rng.integers(0, 5, (2, height, width)).astype(np.uint8),
        ),
        "summary_BE": rng.normal(size=(2, SUMMARY)).astype(np.float32),
        "progress_BT": np.linspace(1, 0, frames, dtype=np.float32)[None].repeat(2, 0),
    }


def head(layers: int, patch: tuple[int, int, int], text_dim: int = 0) -> PixelHead:
    return PixelHead(
        DIM,
        layers,
        SUMMARY,
        patch,
        text_dim=text_dim,
        behind=True,
        canvas=True,
        rngs=nnx.Rngs(0),
        dtype=jnp.float32,
    )


@nnx.jit
def apply(model: PixelHead, given: dict):
    return model(**given)


def worked_out(
    model: PixelHead, given: dict, patch: tuple[int, int, int], scale: float = 1.0
) -> np.ndarray:
    """The same in plain numpy: weights interpolated by SciPy, layers laid one over the other."""
    direction_B3 = None
    if model.text_dim:
        text_BE = given["summary_BE"][:, : model.text_dim]
        direction_B3 = 3 * (text_BE @ model.direction.kernel[...] + model.direction.bias[...])
    looks_BHWLC, forms_BHWF = (
        np.asarray(x, np.float64) for x in see(given["picture"], direction_B3, scale)
    )
    manner_BTD = np.asarray(model.moment(given["summary_BE"], given["progress_BT"]))
    tokens = given["tokens_BthwD"] + manner_BTD[:, :, None, None]
    gates = np.asarray(model.gates(tokens), np.float64)
    shares = np.asarray(model.shares(tokens), np.float64)
    palette = np.asarray(model.palette(manner_BTD), np.float64)
    batch, frames, *grid = tokens.shape[:-1]
    height, width = given["picture"].reference_BHWC.shape[1:3]
    # Where a pixel's centre lies, counted in patches from the first patch's centre.
    at = np.meshgrid(
        (np.arange(height) + 0.5) / patch[1] - 0.5,
        (np.arange(width) + 0.5) / patch[2] - 0.5,
        indexing="ij",
    )
    video = np.zeros((batch, frames, height, width, 3))
    for b in range(batch):
        for t in range(frames):

            def spread(weights_hwx):
                maps = [
                    ndimage.map_coordinates(column, at, order=1, mode="nearest")
                    for column in weights_hwx.reshape(*grid, -1).transpose(2, 0, 1)
                ]
                return np.stack(maps, -1).reshape(height, width, *weights_hwx.shape[2:])

            weights = gates[b, t].reshape(*grid, model.layers, -1)
            logits = (spread(weights) * forms_BHWF[b, :, :, None]).sum(-1)
            open_ = 1 / (1 + np.exp(-4 * logits / np.sqrt(len(pixel_guides.GUIDES))))
            raw = shares[b, t].reshape(*grid, 1 + model.layers, -1)
            raw = np.exp(raw - raw.max(-1, keepdims=True))
            raw = raw / raw.sum(-1, keepdims=True)
            colours = palette[b, t].reshape(-1, 3)
            shares_HWGL = spread(raw[..., :-1])
            own_HWGC = spread(raw[..., -1:] * colours)
            paint_HWGC = np.einsum("hwgl,hwlc->hwgc", shares_HWGL, looks_BHWLC[b]) + own_HWGC
            canvas = paint_HWGC[:, :, 0]
            for layer in range(model.layers):
                over = open_[:, :, layer, None]
                canvas = canvas * (1 - over) + paint_HWGC[:, :, 1 + layer] * over
            video[b, t] = canvas
    return video


@pytest.mark.parametrize(
    ("layers", "patch", "size", "text_dim"),
    [
        (1, (1, 4, 4), (8, 12), 0),
        (4, (1, 4, 8), (4, 16), 0),
        (3, (1, 16, 16), (32, 32), 0),
        (3, (1, 4, 8), (8, 16), 4),
    ],
)
def test_equals_the_mixture_worked_out_pixel_by_pixel(layers, patch, size, text_dim):
    model, given = head(layers, patch, text_dim), inputs(*size, patch)
    np.testing.assert_allclose(apply(model, given), worked_out(model, given, patch), atol=2e-5)


def test_a_mixture_of_one_colour_is_that_colour():
    model, given = head(4, (1, 4, 4)), inputs(8, 8, (1, 4, 4))
    # A grey one, or its light would be another colour.
    grey = np.full((2, 8, 8, 3), 0.3, np.float32)
    given["picture"] = dataclasses.replace(
        given["picture"], reference_BHWC=grey, behind_BHWC=grey, canvas_BHWC=grey
    )
    model.palette.kernel[...] = jnp.zeros_like(model.palette.kernel[...])
    model.palette.bias[...] = jnp.full((15,), 0.3)
    np.testing.assert_allclose(apply(model, given), 0.3, atol=1e-5)


def test_a_firm_head_takes_its_likeliest_paint():
    model = head(2, (1, 4, 4))
    graph, state = nnx.split(model)
    firm_state = pixel_head.firm(nnx.to_pure_dict(state), 1e4)
    nnx.replace_by_pure_dict(state, firm_state)
    shares = nnx.merge(graph, state)._mixture(jnp.ones((1, 2, 2, 1, DIM)), jnp.ones((1, 1, DIM)))
    looks = np.asarray(shares)[..., : len(model.paints)]
    assert np.isclose(looks, 0).sum() + np.isclose(looks, 1).sum() == looks.size
    np.testing.assert_array_equal(
        pixel_head.firm(nnx.to_pure_dict(nnx.state(model)), 1.0)["shares"]["kernel"],
        model.shares.kernel[...],
    )


def test_patches_leave_no_seams():
    model, given = head(4, (1, 8, 8)), inputs(32, 32, (1, 8, 8))
    empty = np.zeros((2, 32, 32), np.uint8)
    given["picture"] = Picture(*(np.zeros((2, 32, 32, 3), np.float32), empty) * 3)
    given["picture"] = dataclasses.replace(given["picture"], given_B=np.zeros(2, bool))
    columns = np.asarray(apply(model, given)).mean((0, 1, 2, 4))
    steps = np.abs(np.diff(columns))
    at_borders, inside = steps[7::8], np.delete(steps, np.s_[7::8])
    assert at_borders.max() <= 1.5 * inside.max()


@pytest.mark.parametrize("text_dim", [0, 3])
def test_every_weight_receives_a_gradient(text_dim):
    model, given = head(4, (1, 4, 4), text_dim), inputs(8, 8, (1, 4, 4))
    gradient = nnx.jit(nnx.grad(lambda model: jnp.square(model(**given)).sum()))(model)
    for path, leaf in jax.tree.leaves_with_path(gradient):
        assert float(jnp.abs(leaf).max()) > 0, path


def test_turns_follow_the_order_of_the_regions_and_advance_inside_them():
    maps = np.zeros((1, 12, 12), np.uint8)
    maps[0, :, 4:8], maps[0, :, 8:] = 2, 1
    turns = np.asarray(jax.jit(segments.painting_times)(jnp.asarray(maps)))
    down, right, outward = np.moveaxis(turns[0], -1, 0)
    for turn in (down, right, outward):
        assert not turn[:, :4].any(), "unlabelled"
        assert turn[:, 8:].max() <= turn[:, 4:8].min() + 1e-5, "region 1 comes before region 2"
        np.testing.assert_allclose([turn[:, 4:].min(), turn[:, 4:].max()], [-4, 4], atol=1e-5)
    assert (np.diff(down[:, 9]) > 0).all()
    assert (np.diff(right[3, 8:]) > 0).all()
    # Two regions of one size take equal times.
    np.testing.assert_allclose(down[:, 9].max(), 0, atol=1e-5)


def test_a_direction_turns_the_strokes_in_every_region_and_leaves_the_regions_order():
    maps = np.zeros((1, 12, 12), np.uint8)
    maps[0, :, 4:8], maps[0, :, 8:] = 2, 1
    turns = np.asarray(segments.painting_times(jnp.asarray(maps)))[0]

    def directed(*direction) -> np.ndarray:
        times = segments.painting_times(jnp.asarray(maps), jnp.array([direction], jnp.float32))
        assert times.shape == (1, 12, 12, 1)
        return np.asarray(times)[0, ..., 0]

    for axis, direction in enumerate(np.eye(3)):
        np.testing.assert_allclose(directed(*direction), turns[..., axis], atol=1e-5)
    left = directed(0, -1, 0)
    np.testing.assert_allclose(left[:, 8:], turns[:, 8:, 1][:, ::-1], atol=1e-5)
    np.testing.assert_allclose(left[:, 4:8], turns[:, 4:8, 1][:, ::-1], atol=1e-5)
    # Without a direction, a region is painted all at once.
    flat = directed(0, 0, 0)
    np.testing.assert_allclose(flat[:, 8:], -2, atol=1e-5)
    np.testing.assert_allclose(flat[:, 4:8], 2, atol=1e-5)
    assert not flat[:, :4].any()


def test_what_lies_ahead_is_as_far_in_every_direction():
    blank = jnp.zeros((3, 9, 9, 3)), jnp.zeros((3, 9, 9), jnp.uint8)
    _, forms = see(plain(*blank), jnp.array([[1.0, 0, 0], [0, -1, 0], [0, 0, 1]]))
    names = (*pixel_guides.GUIDES, *pixel_guides.DIRECTED)
    assert forms.shape[-1] == len(names)
    down, left, outward = np.asarray(forms)[..., names.index("ahead")]
    for ahead in (down, left, outward):
        np.testing.assert_allclose([ahead.min(), ahead.max()], [-2, 2], atol=1e-5)
    assert (np.diff(down, axis=0) > 0).all()
    assert (np.diff(left, axis=1) < 0).all()
    assert outward[4, 4] == pytest.approx(-2, abs=1e-5)


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_edges_are_told_by_the_pictures_own_strength(scale):
    picture = np.full((1, 16, 16, 3), -0.5, np.float32)
    picture[:, :, 8:] = -0.5 + scale
    _, forms = see(plain(picture, np.ones((1, 16, 16), np.uint8)))
    edges = np.asarray(forms)[0, :, :, pixel_guides.GUIDES.index("edges")]
    assert edges[:, 7:9].min() > 0.8
    assert edges[:, :4].max() < 0.05


def test_forms_are_as_many_as_named():
    looks, forms = see(plain(np.zeros((1, 8, 8, 3), np.float32), np.zeros((1, 8, 8), np.uint8)))
    assert looks.shape[3] == len(pixel_guides.PAINTS)
    assert forms.shape[-1] == len(pixel_guides.GUIDES)


def test_what_lies_behind_is_painted_in_its_regions_turn():
    labels = np.ones((1, 12, 12), np.uint8)
    labels[0, :, 4:8], labels[0, :, 8:] = 2, 3
    behind = np.zeros((1, 12, 12), np.uint8)
    behind[0, :, 4:8], behind[0, :, 8:] = 1, 2
    turns = segments.painting_times(jnp.asarray(labels), jnp.array([[1.0, 0, 0]]))
    asked = segments.painting_times(
        jnp.asarray(labels), jnp.array([[1.0, 0, 0]]), jnp.asarray(behind)
    )
    turns, asked = np.asarray(turns)[0, ..., 0], np.asarray(asked)[0, ..., 0]
    assert not asked[:, :4].any(), "nothing lies behind the first"
    np.testing.assert_allclose(asked[:, 4:8], turns[:, :4], atol=1e-5)
    np.testing.assert_allclose(asked[:, 8:], turns[:, 4:8], atol=1e-5)


def test_guides_tell_how_far_a_given_canvas_is_from_the_picture():
    reference = np.zeros((2, 8, 8, 3), np.float32)
    pair = picture(reference, np.ones((2, 8, 8), np.uint8))
    canvas_BHWC = np.where(np.arange(8)[:, None] < 4, 0.0, 0.5).repeat(3, 1) + reference
    _, guides = see(dataclasses.replace(pair, canvas_BHWC=canvas_BHWC.astype(np.float32)))
    names = pixel_guides.guide_names(directed=False, behind=True, canvas=True)
    assert guides.shape[-1] == len(names)
    given, light, unlike = (np.asarray(guides)[..., names.index(n)] for n in pixel_guides.CANVAS)
    np.testing.assert_array_equal(given, np.arange(2)[:, None, None] * np.ones((2, 8, 8)))
    assert not light[0].any()
    assert not unlike[0].any(), "none is given"
    np.testing.assert_allclose(unlike[1, :, :4], 0, atol=1e-6)
    np.testing.assert_allclose(unlike[1, :, 4:], 2, atol=1e-6)

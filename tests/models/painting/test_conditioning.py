"""Conditions are built in one place, drop to zero, and are guided on one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from painting_jax.models.codec import PixelCodec, image_condition
from painting_jax.models.family import Encoders, drop_randomly, negative_conditions
from painting_jax.models.painting import conditioning as conditions
from painting_jax.models.painting.family import PAINTING
from painting_jax.models.painting.modeling import Conditions
from painting_jax.models.painting.picture import Picture

ENCODERS = Encoders(PixelCodec())


def some(batch: int = 6) -> Conditions:
    rng = np.random.default_rng(0)
    return Conditions(
        image_BTHWC=jnp.asarray(rng.normal(size=(batch, 3, 4, 4, 4)), jnp.float32),
        medium_BM=jnp.ones((batch, 5)),
        text_BL=jnp.ones((batch, 7), jnp.int32),
        progress_BT=jnp.ones((batch, 3)),
        picture=whole(batch, 4),
        full=whole(batch, 8),
    )


def whole(batch: int, side: int) -> Picture:
    shape = (batch, side, side)
    colours, labels = jnp.ones((*shape, 3)), jnp.ones(shape, jnp.uint8)
    return Picture(colours, labels, colours, labels, colours, jnp.ones(batch, bool))


# Arrays that are emptied with each condition.
EMPTIED = {
    "reference": {"image_BTHWC", "reference_BHWC", "behind_BHWC"},
    "medium": {"medium_BM"},
    "text": {"text_BL"},
    "segments": {"segments_BHW", "behind_BHWC", "behind_segments_BHW"},
}


class CausalCodec:
    """Four frames a latent but for the first, which stands alone, as Wan's autoencoders have it."""

    channels = 3
    spatial = 2
    temporal = 4

    def encode(self, video):
        first, rest = video[:, :1], video[:, 1:]
        b, t, h, w, c = rest.shape
        rest = rest.reshape(b, t // 4, 4, h, w, c).mean(2)
        return jnp.concatenate([first, rest], 1)[:, :, ::2, ::2]


def test_the_reference_stands_on_every_frame_of_a_pixel_model():
    reference = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 4, 6, 3)), jnp.float32)
    condition = image_condition(PixelCodec(), reference, 5, everywhere=True)
    assert condition.shape == (2, 5, 4, 6, 4)
    np.testing.assert_array_equal(condition[..., 0], 1)
    for frame in range(5):
        np.testing.assert_array_equal(condition[:, frame, ..., 1:], reference)


def test_the_reference_stands_on_the_first_frame_alone_as_wan_has_it():
    reference = jnp.ones((1, 4, 4, 3))
    condition = image_condition(CausalCodec(), reference, 9, everywhere=False)
    assert condition.shape == (1, 3, 2, 2, 4 + 3)
    mask, latents = condition[..., :4], condition[..., 4:]
    np.testing.assert_array_equal(mask[:, 0], 1)
    np.testing.assert_array_equal(mask[:, 1:], 0)
    np.testing.assert_array_equal(latents[:, 0], 1)
    np.testing.assert_array_equal(latents[:, 1:], 0)


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_mark_turns_the_mask_and_leaves_the_reference(everywhere):
    reference = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (2, 4, 4, 3)), jnp.float32)
    batch = {
        "medium_BM": jnp.ones((2, 1)),
        "text_BL": jnp.zeros((2, 3), jnp.int32),
        "segments_BHW": jnp.zeros((2, 4, 4), jnp.uint8),
        "progress_BT": jnp.tile(jnp.linspace(0, 1, 5), (2, 1)),
    }

    def image(mark_other_looks: bool, **more) -> np.ndarray:
        given = conditions.condition(
            PixelCodec(),
            batch | more,
            reference,
            names=["oil"],
            everywhere=everywhere,
            mark_other_looks=mark_other_looks,
        )
        return np.asarray(given.image_BTHWC)

    told = {"other_look_B": jnp.array([False, True])}
    plain, marked = image(True), image(True, **told)
    np.testing.assert_array_equal(image(False, **told), plain)
    np.testing.assert_array_equal(marked[0], plain[0])
    np.testing.assert_array_equal(marked[1, ..., 0], -plain[1, ..., 0])
    np.testing.assert_array_equal(marked[1, ..., 1:], plain[1, ..., 1:])
    assert (marked[1, 0, ..., 0] == -1).all()


@pytest.mark.parametrize("name", conditions.FIELDS)
def test_dropping_empties_one_condition_of_the_samples_named(name):
    given = some()
    gone_B = jnp.array([True, False] * 3)
    dropped = conditions.drop(given, {name: gone_B})
    pairs = zip(jax.tree.leaves_with_path(given), jax.tree.leaves(dropped), strict=True)
    for (path, before), after in pairs:
        assert after.dtype == before.dtype
        if path[-1].name in EMPTIED[name]:
            assert not np.any(np.asarray(after[::2]))
            np.testing.assert_array_equal(after[1::2], before[1::2])
        else:
            np.testing.assert_array_equal(after, before)


def test_conditions_are_dropped_independently_with_their_probability():
    probabilities = {"reference": 0.0, "medium": 1.0, "text": 0.5, "segments": 0.25}
    dropped = drop_randomly(jax.random.key(0), PAINTING, some(2000), probabilities, ENCODERS)
    assert np.all(np.any(np.asarray(dropped.image_BTHWC), axis=(1, 2, 3, 4)))
    assert not np.any(np.asarray(dropped.medium_BM))
    text = np.any(np.asarray(dropped.text_BL), axis=1)
    segments = np.any(np.asarray(dropped.picture.segments_BHW), axis=(1, 2))
    assert abs(text.mean() - 0.5) < 0.05
    assert abs(segments.mean() - 0.75) < 0.05
    assert abs((text & segments).mean() - 0.5 * 0.75) < 0.05


def test_guidance_leads_away_from_the_conditions_it_is_on():
    given = some(2)
    negative = negative_conditions(PAINTING, given, ("medium", "text"), ENCODERS)
    assert not np.any(np.asarray(negative.medium_BM))
    assert not np.any(np.asarray(negative.text_BL))
    np.testing.assert_array_equal(negative.image_BTHWC, given.image_BTHWC)
    np.testing.assert_array_equal(negative.full.segments_BHW, given.full.segments_BHW)


def test_media_of_one_pigment_are_shown_no_colours_and_others_all():
    names = ("pencil", "oil")
    photo_BHWC = np.random.default_rng(0).uniform(-1, 1, (2, 4, 4, 3)).astype(np.float32)
    pencil, oil = conditions.without_unpaintable_colour(photo_BHWC, jnp.eye(2), names)
    luma = photo_BHWC[0] @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(pencil, luma[..., None].repeat(3, -1), atol=1e-6)
    np.testing.assert_array_equal(oil, photo_BHWC[1])
    without = conditions.without_unpaintable_colour(photo_BHWC, jnp.zeros((2, 2)), names)
    np.testing.assert_array_equal(without, photo_BHWC)

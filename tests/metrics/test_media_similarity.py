"""One picture in several media: structure, pace, and which medium it is."""

import numpy as np
import pytest
from flax import nnx
from sklearn.linear_model import Ridge

from painting_jax.errors import UserError
from painting_jax.evaluation import lpips_weights
from painting_jax.metrics import media_similarity, pdp
from painting_jax.models.vgg.modeling import VGG16


@pytest.fixture(scope="module")
def finished(paintings) -> dict[str, np.ndarray]:
    """The finished pictures by "medium picture"."""
    return {name: painting.frames_THWC[-1] for name, painting in paintings.items()}


@pytest.fixture(scope="module")
def tokens(finished) -> dict[str, np.ndarray]:
    """Their tokens: the fourth block of the trunk."""
    try:
        trunk = lpips_weights.load_hed().trunk
    except UserError:
        trunk = VGG16(widths=(16, 16, 32, 32, 32), rngs=nnx.Rngs(0))

    @nnx.jit
    def embed(trunk, pictures_NHWC):
        return media_similarity.patches(trunk(pictures_NHWC.astype("float32") / 255)[3], side=7)

    found_NLD = np.asarray(embed(trunk, np.stack(list(finished.values()))))
    return dict(zip(finished, found_NLD, strict=True))


def _pairs(things: dict[str, np.ndarray], picture: str, other: str):
    media = {name.split()[0] for name in things}
    names = sorted(medium for medium in media if medium != "oil")
    oil = np.stack([things[f"oil {picture}"]] * len(names))
    return oil, np.stack([things[f"{medium} {other}"] for medium in names])


def test_edges_of_one_picture_agree_across_media(finished):
    same = media_similarity.edge_agreement(*_pairs(finished, "cup", "cup"))
    different = media_similarity.edge_agreement(*_pairs(finished, "cup", "face"))
    assert np.mean(same) > np.mean(different) + 0.2
    np.testing.assert_allclose(
        media_similarity.edge_agreement(*_pairs(finished, "cup", "cup")[:1] * 2), 1, rtol=1e-5
    )


def test_a_blank_canvas_agrees_with_nothing(finished):
    picture = finished["oil cup"][None]
    assert abs(media_similarity.edge_agreement(np.full_like(picture, 200), picture)[0]) < 1e-3


def test_self_similarity_equals_plain_cosines():
    tokens_NLD = np.random.default_rng(0).normal(size=(2, 5, 8))
    found = media_similarity.self_similarity(tokens_NLD.astype(np.float32))
    for n, tokens in enumerate(tokens_NLD):
        norm = np.linalg.norm(tokens, axis=1)
        np.testing.assert_allclose(
            found[n], tokens @ tokens.T / np.outer(norm, norm), rtol=1e-5, atol=1e-6
        )


def _structure_distance(*tokens_NLD: np.ndarray) -> np.ndarray:
    return media_similarity.structure_distance(*map(media_similarity.self_similarity, tokens_NLD))


def test_structure_of_one_picture_is_nearer_across_media_than_another_picture(tokens):
    same = _structure_distance(*_pairs(tokens, "cup", "cup"))
    different = _structure_distance(*_pairs(tokens, "cup", "face"))
    assert np.mean(same) < 0.8 * np.mean(different)
    assert not np.any(_structure_distance(*_pairs(tokens, "cup", "cup")[:1] * 2))


def test_structure_distance_equals_its_definition(tokens):
    a, b = tokens["oil cup"].astype(np.float64), tokens["pencil cup"].astype(np.float64)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    expected = np.sqrt(((a @ a.T - b @ b.T) ** 2).mean())
    found = _structure_distance(tokens["oil cup"][None], tokens["pencil cup"][None])
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_patches_average_what_they_stand_for():
    features = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)
    found = media_similarity.patches(np.repeat(np.repeat(features, 4, 1), 4, 2), side=8)
    assert found.shape == (1, 64, 3)
    np.testing.assert_allclose(
        media_similarity.patches(features, side=8)[0], features.reshape(64, 3), rtol=1e-5
    )


def test_pace_is_compared_between_all_media_whatever_their_contrast():
    profile_MK = np.random.default_rng(0).uniform(0.1, 1, (4, 9)).astype(np.float32)
    profile_MK[1] = 0.3 * profile_MK[0]
    mask_M = np.array([True, True, False, True])
    mean = media_similarity.pace_disagreement(profile_MK, mask_M)
    relative = np.asarray(pdp.relative(profile_MK))
    expected = np.abs(relative[0] - relative[3]).mean()
    # The first two have the same pace.
    np.testing.assert_allclose(mean, 2 * expected / 3, rtol=1e-5)
    assert np.isnan(media_similarity.pace_disagreement(profile_MK, np.arange(4) == 0))


def test_zero_shot_scores_are_cosines():
    rng = np.random.default_rng(0)
    image, text = rng.normal(size=(3, 16)), rng.normal(size=(5, 16))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (image, text)]
    found = media_similarity.zero_shot_scores(image.astype(np.float32), text.astype(np.float32))
    np.testing.assert_allclose(found, unit[0] @ unit[1].T, rtol=1e-5, atol=1e-6)


def test_probe_equals_scikit_learns_ridge_and_ignores_padding():
    rng = np.random.default_rng(0)
    features, label = rng.normal(3, 2, (40, 6)), rng.integers(0, 3, 40)
    variance = np.trace(np.cov(features, rowvar=False, ddof=0)) / 6
    reference = Ridge(alpha=40 * 1e-2 * variance).fit(features, np.eye(3)[label])
    padded = np.concatenate([features, np.full((8, 6), np.nan)]).astype(np.float32)
    found = media_similarity.ridge_probe(
        padded, np.pad(label, (0, 8)), np.arange(48) < 40, classes=3
    )
    np.testing.assert_allclose(found[0], reference.coef_.T, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[1], reference.intercept_, rtol=1e-4)
    scores = media_similarity.probe_scores(found, features.astype(np.float32))
    np.testing.assert_allclose(scores, reference.predict(features), rtol=1e-4, atol=1e-5)


def test_medium_gained_is_the_cosine_of_the_two_changes():
    rng = np.random.default_rng(0)
    photo, change = rng.normal(size=(4, 32)), rng.normal(size=32)
    photo /= np.linalg.norm(photo, axis=1, keepdims=True)
    painted = photo + 0.01 * change
    words = rng.normal(size=32)
    words /= np.linalg.norm(words)
    medium = np.broadcast_to(words + 0.01 * change, (4, 32))
    arrays = [x.astype(np.float32) for x in (photo, painted, words, medium)]
    assert np.all(media_similarity.medium_gained(*arrays) > 0.9)
    assert np.all(
        media_similarity.medium_gained(arrays[0], 2 * arrays[0] - arrays[1], *arrays[2:]) < -0.9
    )

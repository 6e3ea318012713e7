"""One picture in several media: is it the same picture, the same pace, and the right medium?"""

import functools

import jax
import jax.numpy as jnp

from painting_jax.diffusion import losses as structure_loss
from painting_jax.metrics import pdp
from painting_jax.metrics.similarity import cosine, unit


@jax.jit
def edge_agreement(a_NHWC: jax.Array, b_NHWC: jax.Array) -> jax.Array:
    """Do two pictures have their edges in the same places? float32[N] in [-1, 1], 1 = yes.

    The correlation over the canvas of the energy of edges, mean over scales; how strong the edges
    are in a medium does not count. 0 where a picture has edges nowhere, or everywhere alike.

    Args:
      a_NHWC: RGB uint8, at least 8 x 8 pixels.
      b_NHWC: RGB uint8.
    """
    scales = [
        structure_loss.energies(x.astype(jnp.float32)[:, None] / 127.5 - 1)
        for x in (a_NHWC, b_NHWC)
    ]
    found = [
        _correlation(*(x.reshape(len(a_NHWC), -1) for x in pair))
        for pair in zip(*scales, strict=True)
    ]
    return sum(found) / len(found)


def patches(features_NHWD: jax.Array, *, side: int = 14) -> jax.Array:
    """Feature maps as tokens of a `side` x `side` grid, averaged: float32[N, side^2, D]."""
    n, _, _, d = features_NHWD.shape
    grid = jax.image.resize(features_NHWD, (n, side, side, d), "linear", antialias=True)
    return grid.reshape(n, side * side, d)


@jax.jit
def self_similarity(tokens_NLD: jax.Array) -> jax.Array:
    """Which parts of a picture are alike: cosines of its tokens with each other, float32[N, L, L].

    After the structure of Tumanyan et al., "Splicing ViT Features for Semantic Appearance Transfer"
    (CVPR 2022), which takes the keys of a DINO; here patch tokens or `patches` of a VGG.
    """
    tokens = unit(tokens_NLD)
    return jnp.einsum("nld,nmd->nlm", tokens, tokens, precision="highest")


@jax.jit
def structure_distance(a_NLL: jax.Array, b_NLL: jax.Array) -> jax.Array:
    """Root mean square difference of self-similarities: float32[N], 0 = composed alike.

    Args:
      a_NLL: `self_similarity` of the same places in two pictures.
      b_NLL: the same.
    """
    apart_NLL = a_NLL.astype(jnp.float32) - b_NLL.astype(jnp.float32)
    return jnp.sqrt(jnp.mean(apart_NLL**2, axis=(1, 2)))


@jax.jit
def pace_disagreement(profile_MK: jax.Array, mask_M: jax.Array) -> tuple[jax.Array, jax.Array]:
    """How differently one picture is paced in M media.

    Profiles are compared as shares of their own largest distance (`pdp.relative`): a drawing never
    is as far from a white sheet as a painting.

    Args:
      profile_MK: distance profiles of one picture, one a medium.
      mask_M: bool, True for media that it was painted in.

    Returns:
      float32[M, M], the area between each two, 0 where one is missing; and float32[], its mean over
      pairs, 0 = paced alike, NaN with fewer than two media.
    """
    relative_MK = pdp.relative(jnp.where(mask_M[:, None], profile_MK, 0))
    area_MM = jnp.mean(jnp.abs(relative_MK[:, None] - relative_MK[None]), axis=2)
    pair_MM = mask_M[:, None] & mask_M[None] & ~jnp.eye(len(mask_M), dtype=bool)
    area_MM = jnp.where(pair_MM, area_MM, 0)
    pairs = jnp.sum(pair_MM)
    return area_MM, jnp.where(pairs > 0, jnp.sum(area_MM) / jnp.maximum(pairs, 1), jnp.nan)


@jax.jit
def recognise(image_ND: jax.Array, text_MD: jax.Array, scale: float = 100.0) -> jax.Array:
    """Which medium a picture is in, by CLIP without training: probabilities float32[N, M].

    Args:
      image_ND: CLIP's features of pictures.
      text_MD: of sentences, one a medium; of several sentences give the mean of their unit vectors.
      scale: CLIP's temperature, 100 in all published models.
    """
    cosine_NM = jnp.einsum("nd,md->nm", unit(image_ND), unit(text_MD), precision="highest")
    return jax.nn.softmax(scale * cosine_NM, axis=1)


@functools.partial(jax.jit, static_argnames=("classes", "folds"))
def probe_accuracy(
    features_ND: jax.Array,
    label_N: jax.Array,
    picture_N: jax.Array,
    mask_N: jax.Array,
    *,
    classes: int,
    folds: int = 5,
    penalty: float = 1e-2,
) -> tuple[jax.Array, jax.Array]:
    """How well a linear probe tells the medium of pictures that it was not trained on.

    For features without a text side. Pictures are dealt into folds by their number; a probe trained
    on all other folds judges each, so that no picture is judged by one that has seen it in any
    medium.

    Args:
      features_ND: of processes' frames.
      label_N: int, the medium, 0..classes-1.
      picture_N: int, which picture it shows, 0, 1, ...
      mask_N: bool, True for rows, False for padding.
      classes: how many media.
      folds: at most as many as there are pictures.
      penalty: of `ridge_probe`.

    Returns:
      float32[], the share of rows whose medium is found; and bool[N], of which it was.
    """

    def of_fold(fold):
        held_out_N = mask_N & (picture_N % folds == fold)
        probe = ridge_probe(
            features_ND, label_N, mask_N & ~held_out_N, classes=classes, penalty=penalty
        )
        return held_out_N & (jnp.argmax(probe_scores(probe, features_ND), axis=1) == label_N)

    right_N = jnp.any(jax.lax.map(of_fold, jnp.arange(folds)), axis=0)
    return jnp.sum(right_N) / jnp.maximum(jnp.sum(mask_N), 1), right_N


@functools.partial(jax.jit, static_argnames="classes")
def ridge_probe(
    features_ND: jax.Array,
    label_N: jax.Array,
    mask_N: jax.Array,
    *,
    classes: int,
    penalty: float = 1e-2,
) -> tuple[jax.Array, jax.Array]:
    """Least squares from features to one-hot labels, in closed form.

    Minimises the mean of |x W + b - y|^2 plus lambda |W|^2; lambda is `penalty` times the mean
    variance of a feature, so that the scale of the features does not matter.

    Args:
      features_ND: float32.
      label_N: int, 0..classes-1.
      mask_N: bool, True for rows, False for padding; at least one.
      classes: how many.
      penalty: relative, above 0.

    Returns:
      W float32[D, classes] and b float32[classes].
    """
    count = jnp.sum(mask_N)
    weight_N1 = mask_N[:, None].astype(jnp.float32)
    features_ND = jnp.where(mask_N[:, None], features_ND, 0)
    target_NC = jax.nn.one_hot(label_N, classes) * weight_N1
    mean_D, share_C = jnp.sum(features_ND, axis=0) / count, jnp.sum(target_NC, axis=0) / count
    x_ND, y_NC = (features_ND - mean_D) * weight_N1, (target_NC - share_C) * weight_N1
    product = functools.partial(jnp.einsum, precision="highest")
    covariance_DD = product("nd,ne->de", x_ND, x_ND) / count
    width = features_ND.shape[1]
    ridge = penalty * jnp.trace(covariance_DD) / width + 1e-30
    W_DC = jax.scipy.linalg.solve(
        covariance_DD + ridge * jnp.eye(width),
        product("nd,nc->dc", x_ND, y_NC) / count,
        assume_a="pos",
    )
    return W_DC, share_C - product("d,dc->c", mean_D, W_DC)


def probe_scores(probe: tuple[jax.Array, jax.Array], features_ND: jax.Array) -> jax.Array:
    """A probe's scores, the highest one the class it tells: float32[N, classes]."""
    return jnp.einsum("nd,dc->nc", features_ND, probe[0], precision="highest") + probe[1]


@jax.jit
def medium_gained(
    photo_ND: jax.Array, painted_ND: jax.Array, photo_D: jax.Array, medium_ND: jax.Array
) -> jax.Array:
    """Does a painting differ from its photo as the medium differs from photos? float32[N].

    The cosine of the two directions (Gal et al., "StyleGAN-NADA", 2022), 1 = just so. Faithfulness
    has two sides, for either alone is easy: this is what was to change; `structure_distance` and
    `edge_agreement` between photo and painting say what was to stay.

    Args:
      photo_ND: features of the photos.
      painted_ND: of the paintings made from them.
      photo_D: of photos as such: CLIP's features of a sentence, or the mean of recorded ones.
      medium_ND: of each painting's medium as such, from the same source.
    """
    return cosine(unit(painted_ND) - unit(photo_ND), unit(medium_ND) - unit(photo_D))


def _correlation(a_NP: jax.Array, b_NP: jax.Array) -> jax.Array:
    a, b = (x - jnp.mean(x, axis=1, keepdims=True) for x in (a_NP, b_NP))
    return cosine(a, b)

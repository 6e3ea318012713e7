"""One picture in several media: similarity of structure and pace, and recognition of the medium."""

import functools

import jax
import jax.numpy as jnp

from painting_jax.metrics import pdp
from painting_jax.metrics.perceptual import cosine, unit
from painting_jax.models.edge_energy import edge_energies


@jax.jit
def edge_agreement(a_NHWC: jax.Array, b_NHWC: jax.Array) -> jax.Array:
    """Correlation of the edge energies of two pictures: float32[N], 1 = edges in the same places.

    Averaged over scales. Independent of how strong the edges of a medium are. 0 if a picture has no
    edges, or the same everywhere.

    Args:
      a_NHWC: RGB uint8, at least 8 x 8 pixels.
      b_NHWC: RGB uint8.
    """
    scales = [edge_energies(x.astype(jnp.float32)[:, None] / 127.5 - 1) for x in (a_NHWC, b_NHWC)]
    correlations = [
        _correlation(*(x.reshape(len(a_NHWC), -1) for x in pair))
        for pair in zip(*scales, strict=True)
    ]
    return sum(correlations) / len(correlations)


def patches(features_NHWD: jax.Array, *, side: int = 14) -> jax.Array:
    """Averages feature maps to the tokens of a `side` x `side` grid: float32[N, side^2, D]."""
    n, _, _, d = features_NHWD.shape
    grid = jax.image.resize(features_NHWD, (n, side, side, d), "linear", antialias=True)
    return grid.reshape(n, side * side, d)


@jax.jit
def self_similarity(tokens_NLD: jax.Array) -> jax.Array:
    """Cosine similarity of a picture's tokens with each other: float32[N, L, L].

    After the structure of Tumanyan et al., "Splicing ViT Features for Semantic Appearance Transfer"
    (CVPR 2022), which uses the keys of a DINO; here patch tokens or `patches` of a VGG.
    """
    tokens = unit(tokens_NLD)
    return jnp.einsum("nld,nmd->nlm", tokens, tokens, precision="highest")


@jax.jit
def structure_distance(a_NLL: jax.Array, b_NLL: jax.Array) -> jax.Array:
    """Root mean square difference of self-similarities: float32[N], 0 = the same composition.

    Args:
      a_NLL: `self_similarity` of the first pictures.
      b_NLL: `self_similarity` of the same places in the second.
    """
    apart_NLL = a_NLL.astype(jnp.float32) - b_NLL.astype(jnp.float32)
    return jnp.sqrt(jnp.mean(apart_NLL**2, axis=(1, 2)))


@jax.jit
def pace_disagreement(profile_MK: jax.Array, mask_M: jax.Array) -> jax.Array:
    """Mean area between the profiles of one picture in M media: float32[], 0 = the same pace.

    Profiles are compared as shares of their own largest distance (`pdp.relative`): a drawing is
    never as far from a white sheet as a painting. NaN with fewer than two media.

    Args:
      profile_MK: Distance profiles of one picture, one per medium.
      mask_M: bool, True for profiles, False for padding.
    """
    relative_MK = pdp.relative(jnp.where(mask_M[:, None], profile_MK, 0))
    area_MM = jnp.mean(jnp.abs(relative_MK[:, None] - relative_MK[None]), axis=2)
    pair_MM = mask_M[:, None] & mask_M[None] & ~jnp.eye(len(mask_M), dtype=bool)
    total, pairs = jnp.sum(jnp.where(pair_MM, area_MM, 0)), jnp.sum(pair_MM)
    return jnp.where(pairs > 0, total / jnp.maximum(pairs, 1), jnp.nan)


@jax.jit
def zero_shot_scores(image_ND: jax.Array, text_MD: jax.Array) -> jax.Array:
    """Cosines of pictures and texts in CLIP's space; the highest names the class: float32[N, M].

    Args:
      image_ND: CLIP's features of pictures.
      text_MD: CLIP's features of texts, one per class; for several texts, the mean of their unit
        vectors.
    """
    return jnp.einsum("nd,md->nm", unit(image_ND), unit(text_MD), precision="highest")


@functools.partial(jax.jit, static_argnames="classes")
def ridge_probe(
    features_ND: jax.Array,
    label_N: jax.Array,
    mask_N: jax.Array,
    *,
    classes: int,
    penalty: float = 1e-2,
) -> tuple[jax.Array, jax.Array]:
    """Fits ridge regression from features to one-hot labels, in closed form.

    Minimises the mean of |x W + b - y|^2 plus lambda |W|^2; lambda is `penalty` times the mean
    variance of a feature, which makes it independent of the features' scale.

    Args:
      features_ND: float32.
      label_N: int, 0..classes-1.
      mask_N: bool, True for rows, False for padding; at least one.
      classes: Number of classes.
      penalty: Relative penalty, above 0.

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
    """Scores of a probe; the highest names the class: float32[N, classes]."""
    return jnp.einsum("nd,dc->nc", features_ND, probe[0], precision="highest") + probe[1]


@jax.jit
def medium_gained(
    photo_ND: jax.Array, painted_ND: jax.Array, photo_D: jax.Array, medium_ND: jax.Array
) -> jax.Array:
    """Whether paintings differ from their photos as the medium differs from photos: float32[N].

    The cosine of the two directions (Gal et al., "StyleGAN-NADA", 2022), 1 = the same direction.
    It covers what should change; `structure_distance` and `edge_agreement` cover what should stay.

    Args:
      photo_ND: Features of the photos.
      painted_ND: Features of the paintings made from them.
      photo_D: Features of "photo" as a concept: of a text, or the mean of recorded photos.
      medium_ND: Features of each painting's medium as a concept, from the same source.
    """
    return cosine(unit(painted_ND) - unit(photo_ND), unit(medium_ND) - unit(photo_D))


def _correlation(a_NP: jax.Array, b_NP: jax.Array) -> jax.Array:
    a, b = (x - jnp.mean(x, axis=1, keepdims=True) for x in (a_NP, b_NP))
    return cosine(a, b)

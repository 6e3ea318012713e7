"""The medium of a finished picture, guessed with CLIP: the words of which medium are nearest."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from painting_jax import media
from painting_jax.checkpoints.source import open_source
from painting_jax.data import pictures
from painting_jax.data.enrichment.network import Network
from painting_jax.metrics.media_similarity import zero_shot_scores
from painting_jax.metrics.perceptual import unit
from painting_jax.models.features import CLIPFeatures
from painting_jax.text import clip_folder

# The scale of cosines that CLIP was trained with: its published weights have learned this bound.
_SCALE = 100.0


class MediumGuesser:
    """Guesses the medium of a picture, and says how sure it is."""

    def __init__(self, network: Network):
        """Loads a CLIP with its tokenizer.

        Raises:
          UserError: If it is another network, or has no tokenizer.
        """
        config, model, tokenize = clip_folder.opened(open_source(network.path))
        features = CLIPFeatures(model, label="CLIP")
        texts = [media.descriptions(name) for name in media.MEDIA]
        vector_MD = features.describe(jnp.asarray(tokenize([text for of in texts for text in of])))
        vector_MPD = unit(vector_MD).reshape(len(texts), len(texts[0]), -1)
        self._text_MD, self._side = vector_MPD.mean(1), config.vision.image_size
        graph, state = nnx.split(features)
        self._scores = functools.partial(_scores, graph, state)

    def __call__(self, picture_HWC: np.ndarray) -> tuple[str, float]:
        """The likeliest medium of a picture, uint8[H, W, 3], and its probability among all."""
        # One size for all pictures, so that nothing is compiled twice.
        square_HWC = pictures.fit(picture_HWC, self._side, self._side)
        likely_M = np.asarray(jax.nn.softmax(self._scores(square_HWC[None], self._text_MD)[0]))
        best = int(likely_M.argmax())
        return list(media.MEDIA)[best], float(likely_M[best])


@functools.partial(jax.jit, static_argnums=0)
def _scores(graph, state, pictures_NHWC, text_MD):
    return _SCALE * zero_shot_scores(nnx.merge(graph, state)(pictures_NHWC), text_MD)

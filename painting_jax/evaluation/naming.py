"""Media in CLIP's words: what pictures are held against where nothing is trained."""

import numpy as np

from painting_jax import media
from painting_jax.evaluation.backbones import Backbone
from painting_jax.metrics.similarity import unit

PHOTO = "photo"

# One wording is an accident of the captions that CLIP was trained on.
_SENTENCES = ("{}.", "artwork, {}.", "{}, finished and scanned.")
_OF_PHOTOS = ("photo.", "a photo.", "photograph, unedited.")


def vectors(clip: Backbone) -> dict[str, np.ndarray]:
    """Every medium, and photos as such (`PHOTO`), in CLIP's space: float32[D] of unit length each.

    Raises:
      UserError: if there is no tokenizer beside the weights, or the network takes no texts.
    """
    sentences = {
        name: [sentence.format(media.in_words(name)) for sentence in _SENTENCES]
        for name in media.MEDIA
    }
    sentences[PHOTO] = list(_OF_PHOTOS)
    texts = [text for of_one in sentences.values() for text in of_one]
    found_MSD = unit(clip.describe(texts)).reshape(len(sentences), len(_SENTENCES), -1)
    return dict(zip(sentences, np.asarray(unit(found_MSD.mean(1))), strict=True))

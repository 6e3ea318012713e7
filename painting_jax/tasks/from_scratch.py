"""Training a whole model from random parameters."""

import functools
from collections.abc import Sequence

import jax
from etils import epath
from flax import nnx
from ml_collections import ConfigDict

from painting_jax.data import painter
from painting_jax.data.records import Records
from painting_jax.tasks.task import Task, abstract_network, make_model, make_network
from painting_jax.text.conditioner import TokenConditioner
from painting_jax.text.tokenizer import Tokenizer

# Words of captions that are named in a line, at most.
_SHOWN = 12


class FromScratch(Task):
    """Trains all parameters of a model, including its token embeddings. Nothing is frozen."""

    origin = "random parameters"

    def __init__(self, config: ConfigDict):
        super().__init__(config, make_model(config))

    def _make(self, rngs: nnx.Rngs) -> nnx.Module:
        return make_network(self.config, self.model, rngs)

    @functools.cached_property
    def _abstract(self) -> nnx.Module:
        """The network with shapes in the place of arrays."""
        return abstract_network(self.config, self.model)

    @functools.cached_property
    def _graph(self):
        return nnx.graphdef(self._abstract)

    def params_shapes(self):
        return nnx.to_pure_dict(nnx.state(self._abstract, nnx.Param))

    def init_params(self):
        return nnx.to_pure_dict(nnx.state(self._make(nnx.Rngs(self.config.seed)), nnx.Param))

    def network(self, params, frozen, expert=None):
        del frozen, expert
        return self._graph, params

    def text_conditioner(self, workdir, sources, mesh):
        del mesh
        return TokenConditioner(
            self._tokenizer(epath.Path(workdir), sources), self.config.data.text_length
        )

    def _tokenizer(self, workdir: epath.Path, sources: Sequence[Records]) -> Tokenizer:
        """The run's tokenizer, or a new one trained on the captions.

        A new one knows the words of the tokenizer of `init_from` under their ids there.
        """
        folder = workdir / "tokenizer"
        if Tokenizer.is_in(folder) or not sources:
            return Tokenizer.load(folder)
        captions, size = sources[0].captions(), self.config.model.vocabulary
        # A user may ask for every manner, whichever the captions name.
        manners = painter.every_word()
        if self.config.init_from:
            started = Tokenizer.load(epath.Path(self.config.init_from) / "tokenizer")
            tokenizer = started.grown(captions, size, first=manners)
            new = started.unknown([*manners, *captions])
            _say(f"{len(new)} words are new to the model of {self.config.init_from}", new)
        else:
            tokenizer = Tokenizer.train(captions, size, first=manners)
        _say(f"not learned, as config.model.vocabulary={size}", tokenizer.unknown(captions))
        if jax.process_index() == 0:
            tokenizer.save(folder)
        return tokenizer


def _say(what: str, words: Sequence[str]) -> None:
    """Prints a line with the first of some words, if there are any."""
    if words and jax.process_index() == 0:
        more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
        print(f"{what}: {', '.join(words[:_SHOWN])}{more}")

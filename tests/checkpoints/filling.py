"""Another library's random weights into our modules, in one go, by a table."""

from collections.abc import Callable, Sequence

import jax
import numpy as np
import torch
from flax import nnx

from painting_jax.checkpoints.key_matching import match_tensors
from painting_jax.checkpoints.load import flat
from painting_jax.checkpoints.safetensors_file import Tensor
from painting_jax.checkpoints.source import Source
from painting_jax.models.tensor_names import TRANSFORMS, Table, place


def fill(build: Callable[[], nnx.Module], table: Table, source: dict[str, torch.Tensor]):
    """Our module with the tensors of a state dict; every tensor has its place, and every place one.

    Tensors that are held under two names have to be equal.
    """
    graph, state = nnx.split(nnx.eval_shape(build))
    filled: dict[str, dict[int | None, np.ndarray]] = {}
    for name, tensor in source.items():
        rule, slot = place(table, name) or (None, None)
        assert slot is not None, name
        array = TRANSFORMS[rule.transform].ours(tensor.numpy())
        held = filled.setdefault(slot.path, {}).setdefault(slot.layer, array)
        np.testing.assert_array_equal(held, array, err_msg=name)

    def take(path, leaf):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        layers = filled.pop(name)
        if None in layers:
            array = layers[None]
        else:
            array = np.stack([layers[index] for index in range(len(layers))])
        assert array.shape == leaf.shape, name
        return array

    pure = jax.tree_util.tree_map_with_path(take, nnx.to_pure_dict(state))
    assert not filled, filled.keys()
    nnx.replace_by_pure_dict(state, pure)
    return nnx.merge(graph, state)


def random_reference(build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """A model with random weights, the same each time; norms and biases are not neutral, either."""
    torch.manual_seed(0)
    model = build().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def unwritten(shapes: dict[str, tuple[int, ...]], config: dict) -> Source:
    """Tensors of which there is the description alone, each called by its name."""
    tensors = {name: Tensor(name, np.dtype("f4"), shape, 0) for name, shape in shapes.items()}
    return Source("unwritten", tensors, config, {})


def assert_every_tensor_has_its_place(
    published: dict[str, tuple[int, ...]], build: Callable[[], nnx.Module], tables: Sequence[Table]
) -> None:
    """That tensors of these names and shapes are all that our module needs; nothing is made."""
    wanted = flat(nnx.to_pure_dict(nnx.state(nnx.eval_shape(build), nnx.Param)))
    match_tensors(unwritten(published, {}), wanted, tables)

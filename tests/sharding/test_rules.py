"""Which part of a parameter or a batch each device holds."""

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from painting_jax.sharding import rules
from painting_jax.sharding.batches import global_batch, rows_of_process
from painting_jax.sharding.mesh import make_mesh
from painting_jax.sharding.rules import batch_sharding, tree_shardings


@pytest.mark.parametrize(
    ("name", "shape", "spec"),
    [
        ("blocks/attn1/to_q/kernel", (2, 32, 32), P(None, ("fsdp", "sequence"), "tensor")),
        ("blocks/attn1/to_out/kernel", (2, 32, 32), P(None, "tensor", ("fsdp", "sequence"))),
        ("blocks/attn1/to_out/kernel/qvalue", (2, 32, 32), P(None, "tensor", ("fsdp", "sequence"))),
        ("blocks/attn1/to_out/kernel/scale", (2, 1, 32), P(None, None, ("fsdp", "sequence"))),
        ("blocks/attn1/norm_q/scale", (2, 32), P()),
        ("patch_embedding/kernel", (12, 32), P(None, ("fsdp", "sequence"))),
        ("blocks/attn1/to_q/lora_a", (2, 32, 4), P(None, ("fsdp", "sequence"), None)),
        ("blocks/attn1/to_q/bias", (2, 32), P()),
        # What does not divide is held in full.
        ("medium_table", (3, 1, 30), P()),
    ],
)
def test_parameters_are_stored_over_fsdp_and_sequence(name, shape, spec):
    mesh = make_mesh({"fsdp": 2, "tensor": 2, "sequence": 2})
    leaf = jax.ShapeDtypeStruct(shape, np.float32)
    [sharding] = jax.tree.leaves(tree_shardings({name: leaf}, mesh))
    assert sharding.is_equivalent_to(NamedSharding(mesh, spec), len(shape))


@pytest.mark.parametrize("sizes", [{"data": 2, "fsdp": 4}, {"fsdp": 2, "sequence": 4}])
def test_a_global_batch_is_what_device_put_makes(sizes):
    mesh = make_mesh(sizes)
    array = np.arange(8 * 3).reshape(8, 3)
    rows = rows_of_process(mesh, 8)
    assert rows == list(range(8))
    made = global_batch({"a": array}, rows, 8, mesh)["a"]
    expected = jax.device_put(array, batch_sharding(mesh))
    assert made.sharding == expected.sharding
    for ours, theirs in zip(made.addressable_shards, expected.addressable_shards, strict=True):
        np.testing.assert_array_equal(ours.data, theirs.data)


@pytest.mark.parametrize(
    ("logical", "said"),
    [
        (("batch", "colour"), "no logical axis 'colour': known are batch, tokens"),
        (
            ("storage", "tokens"),
            "'sequence' is used twice, for the logical axes storage and",
        ),
    ],
)
def test_tables_that_do_not_fit_together_are_refused(logical, said):
    with pytest.raises(ValueError, match=said):
        rules._spec(logical)


def test_a_mesh_axis_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setitem(rules.LOGICAL, "heads", ("model",))
    with pytest.raises(ValueError, match="no mesh axis 'model': known are data, fsdp"):
        rules._spec(("heads",))

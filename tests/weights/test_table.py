from painting_jax.weights.table import Place, Row, place

_ROWS = (
    Row(r"layers\.(\d+)\.weight", "layers/kernel", (1, 0)),
    Row(r"(?:model\.)?bias", "bias"),
    Row(r"step", None),
)


def test_layer_is_read_from_the_name():
    assert place(_ROWS, "layers.12.weight") == Place("layers/kernel", 12, (1, 0))


def test_optional_prefix_is_no_layer():
    assert place(_ROWS, "model.bias") == place(_ROWS, "bias") == Place("bias", None, None)


def test_whole_name_has_to_fit():
    assert place(_ROWS, "bias2") is None
    assert place(_ROWS, "x.layers.1.weight") is None


def test_what_is_passed_over_is_told_from_what_is_unknown():
    assert place(_ROWS, "step") == Place(None, None, None)

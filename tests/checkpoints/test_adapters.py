"""LoRAs as they are named on the command line."""

import pytest

from painting_jax.checkpoints.adapters import Named, parse
from painting_jax.errors import UserError


def test_loras_are_named_together_or_one_by_one_with_their_weights():
    expected = [Named("a", 1.0), Named("b/c", 0.8), Named("d", -0.5)]
    assert parse(["a,b/c:0.8", "d:-0.5"]) == expected
    assert parse(["a:1, b/c:8e-1", " d:-.5"]) == expected


def test_a_file_that_is_there_may_have_signs_in_its_name(tmp_path):
    odd = tmp_path / "v1:2, oil.safetensors"
    odd.touch()
    assert parse([str(odd)]) == [Named(str(odd))]
    assert parse([f"{odd}:0.5", "b"]) == [Named(str(odd), 0.5), Named("b")]


@pytest.mark.parametrize("text", ["", "a,", ":1", "a:nan", "a:inf"])
def test_a_lora_without_a_name_or_a_finite_weight_is_refused(text):
    with pytest.raises(UserError, match="name a LoRA and a weight"):
        parse([text])


def test_a_weight_that_is_no_number_is_refused():
    with pytest.raises(UserError, match="the weight 'strong' of the LoRA a is no number"):
        parse(["a:strong"])

"""Orders of painting as users write them."""

import pytest

from painting_jax.errors import UserError
from painting_jax.generation import painting_order


@pytest.mark.parametrize(
    ("order", "numbers"), [("3,1,2", (3, 1, 2)), (" 3, 1 ", (3, 1)), ("", ()), (None, ())]
)
def test_numbers_name_regions(order, numbers):
    assert painting_order.numbers(order) == numbers


@pytest.mark.parametrize("order", ["sky", "1,sky", "1. sky 2. tree", "1,,2", "1000", "-1", "1;2"])
def test_what_is_no_number_is_refused(order):
    with pytest.raises(UserError, match="knows regions by their numbers"):
        painting_order.numbers(order)


@pytest.mark.parametrize(
    ("order", "parts"),
    [
        ("1. sky 2. far trees 3. water 4. tree", ("sky", "far trees", "water", "tree")),
        ("1. sky. 2. a house, two storeys; 3. No. 7", ("sky", "a house, two storeys", "No. 7")),
        ("1. all", ("all",)),
        ("", ()),
    ],
)
def test_words_are_numbered_from_one(order, parts):
    assert painting_order.parts(order) == parts


@pytest.mark.parametrize(
    "order", ["sky, tree", "1. sky 3. tree", "2. sky", "1. 2. tree", "first 1. sky", "3,1,2"]
)
def test_words_without_their_numbers_are_refused(order):
    with pytest.raises(UserError, match="numbered from 1 on"):
        painting_order.parts(order)


def test_endless_orders_are_refused():
    with pytest.raises(UserError, match="21 parts"):
        painting_order.parts(" ".join(f"{n}. x" for n in range(1, 22)))


def test_the_prompt_has_videosketchers_form():
    prompt = painting_order.in_prompt("Step by step sketch process of a cat.", ("head", "tail"))
    assert prompt == (
        "Step by step sketch process of a cat, following this drawing order: 1. head. 2. tail."
    )
    assert painting_order.in_prompt("An oil painting.", ()) == "An oil painting."

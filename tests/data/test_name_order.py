import random

import pytest

from painting_jax.data.name_order import natural_order, painted_order

# Each list is in the order in which a person would put it.
CERTAIN = (
    ["9.jpg", "10.jpg", "0101.jpg"],
    ["Step1.png", "step2.png", "Step3.png", "STEP4.png"],
    ["IMG_9.JPG", "img_10.jpg"],
    ["1.jpg", "2.png", "3.avif"],
    [
        "Screenshot 2023-05-01 at 12.00.01\u202fAM.png",
        "Screenshot 2023-05-01 at 9.15.02\u202fAM.png",
        "Screenshot 2023-05-01 at 12.30.00 PM.png",
        "Screenshot 2023-05-01 at 1.05.10 PM.png",
        "Screenshot 2023-05-02 at 1.05.10 AM.png",
    ],
    ["9am.jpg", "11 a.m..jpg", "1 PM.jpg"],
    ["13-05-2023.jpg", "02-06-2023.jpg"],
    ["4-20-2023.jpg", "5-13-2023.jpg"],
    ["step \u0663.png", "step 4.png"],
)
GUESSED = (
    ["step 1.png", "step 2.png", "step 3.png", "final 4.png"],
    ["2023 sketch 1.png", "2023 colour 2.png", "2023 done 3.png"],
    ["day1_10.png", "day2_5.png", "night3_7.png"],
    ["a.jpg", "a (1).jpg", "a (2).jpg", "a (10).jpg"],
    ["a1.png", "a2.png", "b1.png", "b2.png"],
    ["colour.png", "sketch.png"],
    ["01.04.2023.jpg", "02.03.2023.jpg"][::-1],
)


@pytest.mark.parametrize("names", CERTAIN, ids=lambda names: names[0])
def test_names_are_in_the_order_of_a_person(names):
    shuffled = random.Random(0).sample(names, len(names))
    assert painted_order(shuffled) == (names, False)


@pytest.mark.parametrize("names", GUESSED, ids=lambda names: names[0])
def test_an_order_that_names_leave_open_is_a_guess(names):
    shuffled = random.Random(0).sample(names, len(names))
    assert painted_order(shuffled) == (names, True)


def test_folders_are_ordered_by_their_parts():
    names = ["a9.d/x", "a10.d/x", "B/2", "b/10"]
    assert sorted(reversed(names), key=natural_order) == names


def test_names_that_differ_in_case_alone_have_one_order():
    assert sorted(["a.png", "A.png"], key=natural_order) == sorted(
        ["A.png", "a.png"], key=natural_order
    )

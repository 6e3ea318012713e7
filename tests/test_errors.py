"""Words for the user."""

import os

from painting_jax.errors import UserError, readable


def test_names_that_are_no_utf8_become_text():
    assert readable("cät.jpg") == "cät.jpg"
    assert readable(os.fsdecode(b"c\xe4t.jpg")) == "c\\udce4t.jpg"


def test_an_error_can_be_written_down_whatever_it_quotes():
    assert str(UserError("no \udce4")).encode() == b"no \\udce4"

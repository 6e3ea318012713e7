"""Words for the user."""

import os

from painting_jax.errors import UserError, one_line, readable, shortened


def test_names_that_are_no_utf8_become_text():
    assert readable("cät.jpg") == "cät.jpg"
    assert readable(os.fsdecode(b"c\xe4t.jpg")) == "c\\udce4t.jpg"


def test_an_error_can_be_written_down_whatever_it_quotes():
    assert str(UserError("no \udce4")).encode() == b"no \\udce4"


def test_an_error_is_one_line_whatever_it_quotes():
    name = "a\nb\r\x1b[31m\x85\u2028\u202egpj.mp4"
    assert one_line(name) == r"a\nb\r\x1b[31m\x85\u2028\u202egpj.mp4"
    assert str(UserError(name)) == one_line(name)
    assert one_line("à 猫.mp4 \U0001f3a8") == "à 猫.mp4 \U0001f3a8"


def test_a_long_word_is_cut_in_its_middle():
    message = str(UserError(f"unknown medium {'x' * 9000}: known are oil, ink"))
    assert len(message) < 400
    assert message.startswith("unknown medium xxx")
    assert message.endswith("xxx: known are oil, ink") or message.endswith("known are oil, ink")


def test_a_long_line_keeps_its_beginning_and_its_end():
    message = str(UserError(f"unexpected: {'blocks.0.attn, ' * 5000}. Convert the file first"))
    assert len(message) <= 1000
    assert message.startswith("unexpected: blocks.0.attn")
    assert message.endswith("Convert the file first")


def test_a_usual_message_stays_as_it_is():
    message = "/a/path/of/some/length/" + "folder/" * 30 + " does not exist: name a picture"
    assert str(UserError(message)) == shortened(message) == message

"""The page: what others wrote is text in it, and everything it loads is in the package."""

import pathlib
import re

from painting_jax import studio

_PAGE = pathlib.Path(studio.__file__).parent / "page"
_TEXTS = {path.name: path.read_text("utf-8") for path in _PAGE.iterdir()}


def test_no_text_becomes_html_or_a_program():
    for name, text in _TEXTS.items():
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, name
        assert "new Function" not in text, name


def test_nothing_is_loaded_from_elsewhere():
    for name, text in _TEXTS.items():
        addresses = set(re.findall(r"https?://[^\s\"'`)]+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, name
        assert "@import" not in text, name


def test_pages_have_no_scripts_or_styles_of_their_own_which_the_policy_forbids():
    for name in ("index.html", "login.html"):
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|<style", _TEXTS[name])


def test_all_files_that_are_named_are_there():
    for text in _TEXTS.values():
        for name in re.findall(r"(?:\"/page/|\"\./)([\w.]+)\"", text):
            assert name in _TEXTS

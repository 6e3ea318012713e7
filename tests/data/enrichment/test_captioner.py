"""Captions name the subject in one short line."""

import pytest

from painting_jax.data import processes, video
from painting_jax.data.enrichment import choice
from painting_jax.data.enrichment.captioner import tidy
from tests.data.enrichment import tiny_networks
from tests.synthetic import recording


@pytest.fixture(scope="module")
def captions(tmp_path_factory):
    words = ["an", "oil", "painting", "of", "a", "cat", "on", "a", "mat"]
    folder = tiny_networks.write_captioner(tmp_path_factory.mktemp("captioner"), words)
    return choice.chosen(captions=str(folder))


def test_a_network_tells_what_is_painted_without_the_medium(captions):
    assert captions.caption_of(tiny_networks.picture()) == "a cat on a mat"


@pytest.mark.parametrize(("stated", "kept"), [("a dog", "a dog"), ("", "a cat on a mat")])
def test_a_caption_that_is_given_wins(captions, tmp_path, stated, kept):
    video.write_mp4(tmp_path / "a.mp4", recording(), fps=4)
    (tmp_path / "a.json").write_text(f'{{"caption": "{stated}", "medium": "oil"}}')
    [file], _ = processes.find([tmp_path / "a.mp4"])
    record = processes.to_record(file, max_frames=3, max_side=64, enrichment=captions)
    assert record.caption == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a tree\n  in\tspring\n", "a tree in spring"),
        ("a \x1b[31mred\x07 tree\u2028", r"a \x1b[31mred\x07 tree"),
        ("There is a black and white drawing of the sea", "the sea"),
        ("a man holding a painting of a dog", "a man holding a painting of a dog"),
        ("a photo of a photo of a tree", "a photo of a tree"),
        ("word " * 100, ("word " * 40).strip()),
        ("x" * 300, "x" * 200),
        (" \n", ""),
    ],
)
def test_captions_are_one_bounded_line_without_control_characters(said, kept):
    assert tidy(said) == kept

"""The page of a tutorial is one file that holds all it shows, and is safe to open."""

import functools
import html.parser
import json
import re

import numpy as np
import pytest
from skimage import data

from painting_jax.data import painter, pictures
from painting_jax.errors import UserError
from painting_jax.instruction import tutorial
from painting_jax.instruction.language import Words
from painting_jax.instruction.tutorial import Choices

HOSTILE = '</script><img src=x onerror="alert(1)">'


@functools.cache
def painting() -> painter.Painting:
    return painter.paint(pictures.shrunk(data.chelsea(), 128), "oil", frames=17, seed=0)


@functools.cache
def plain_page() -> str:
    return page()


def page(**changed) -> str:
    known = {
        "name": "chelsea",
        "medium": {"oil": 1.0},
        "model": "a model",
        "progress_T": painting().progress_T,
        "labels_HW": painting().segments_HW,
    }
    frames_THWC = changed.pop("frames_THWC", painting().frames_THWC)
    written = tutorial.files(frames_THWC, data.chelsea(), **known | changed)
    return written["tutorial.html"].decode()


class Elements(html.parser.HTMLParser):
    """Elements of a page, with their attributes, and the text of each kind."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.found, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, text):
        self.texts.append((self.open[-1] if self.open else "", text))

    def facts(self) -> dict:
        return json.loads(next(t for _, t in self.texts if t.startswith('{"words"')))


def test_steps_have_pictures_and_words():
    found = Elements(plain_page())
    steps = [attributes for tag, attributes in found.found if attributes.get("class") == "step"]
    assert 5 <= len(steps) <= 10
    pictures_of = [a for tag, a in found.found if a.get("id", "").startswith("picture")]
    assert len([a for a in pictures_of if a.get("src")]) == len(steps)
    assert all(a["alt"] for tag, a in found.found if tag == "img")
    whole = " ".join(text for _, text in found.texts)
    assert "Draw the main lines" in whole or "Lay in light and dark" in whole
    assert "The marks are about" in whole


def test_the_script_knows_every_frame():
    facts = Elements(plain_page()).facts()
    assert len(facts["frames"]) == len(facts["progress"]) == 17
    assert facts["ends"][-1] == 16
    for moment, frame in enumerate(facts["frames"]):
        if isinstance(frame, int):
            assert facts["ends"][frame] == moment
        else:
            assert frame.startswith("data:image/webp;base64,")


def test_nothing_is_fetched():
    text = plain_page()
    found = Elements(text)
    addresses = [
        value
        for _, attributes in found.found
        for key, value in attributes.items()
        if key in ("src", "href", "srcset", "data", "action", "poster")
    ]
    assert addresses
    assert all(value.startswith(("data:", "#")) for value in addresses)
    # But for the namespace of SVG, which is a name.
    assert set(re.findall(r"https?://[\w./-]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in text


def test_names_are_shown_and_not_run():
    found = Elements(page(name=HOSTILE, model=HOSTILE))
    assert not any("onerror" in attributes for _, attributes in found.found)
    assert sum(tag == "script" for tag, _ in found.found) == 2
    assert any(HOSTILE in text for tag, text in found.texts if tag == "h1")


def test_a_page_of_17_frames_of_noise_stays_below_6_megabytes():
    rng = np.random.default_rng(0)
    frames_THWC = np.repeat(painting().frames_THWC, 6, axis=1).repeat(6, axis=2)
    frames_THWC = frames_THWC[:, :510].astype(np.int16)
    frames_THWC += rng.integers(-60, 60, frames_THWC.shape, dtype=np.int16)
    text = page(frames_THWC=frames_THWC.clip(0, 255).astype(np.uint8), labels_HW=None)
    assert len(text.encode()) <= 6_000_000


def test_long_processes_show_some_of_their_frames():
    long_THWC = painting().frames_THWC[np.linspace(0, 16, 200).round().astype(int)]
    facts = Elements(page(frames_THWC=long_THWC, progress_T=np.linspace(0, 1, 200))).facts()
    assert len(facts["frames"]) <= 33
    assert facts["progress"][0] == 0
    assert facts["progress"][-1] == 1


def test_it_speaks_german():
    text = page(choices=Choices(language="de"))
    assert '<html lang="de">' in text
    assert Words.of("de").say("page", "palette") in text
    assert "Schritt 1" in text


def test_two_frames_are_one_step():
    facts = Elements(page(frames_THWC=painting().frames_THWC[[0, -1]], progress_T=None)).facts()
    assert facts["ends"] == [1]


def test_other_media_and_mixtures_have_words_too():
    assert "gouache" in page(medium={"gouache": 1.0})
    assert "oil and pencil" in page(medium={"oil": 0.6, "pencil": 0.4})


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Choices(language="xx"), "--language=xx is not known: choose from en, de"),
        (Choices(paper="B7"), "paper is one of A5, A4, A3, Letter"),
        (Choices(paints="mud"), "--paints=mud is no file and no built-in set"),
        (Choices(detail="much"), "an outline's detail is one of simple, normal, fine"),
    ],
)
def test_unknown_choices_are_refused(choices, told):
    with pytest.raises(UserError, match=told):
        choices.check("oil")


def test_the_paints_of_a_page_can_be_changed(tmp_path):
    mixes = Elements(plain_page()).facts()["mixes"]
    assert len(mixes) == 3
    assert all(len(mixed) == len(next(iter(mixes.values()))) for mixed in mixes.values())
    own = tmp_path / "mine.txt"
    own.write_text("Titanium white\nPB29\nMy ochre = PY42\n", "utf-8")
    ((title, mixed),) = Elements(page(choices=Choices(paints=str(own)))).facts()["mixes"].items()
    assert title == "mine.txt"
    assert any("My ochre" in mix["text"] for mix in mixed)


def test_media_of_one_pigment_have_tones_and_no_mixes():
    facts = Elements(page(medium={"charcoal": 1.0})).facts()
    assert facts["mixes"] == {}
    assert facts["palette"]


def test_the_outline_is_printed_in_parts_of_a_large_painting():
    written = tutorial.files(
        painting().frames_THWC,
        data.chelsea(),
        name="chelsea",
        medium={"oil": 1.0},
        model="a model",
        choices=Choices(width_mm=500.0, numbers=True, cells=4),
    )
    sheets = {name for name in written if name.startswith("outline-")}
    assert len(sheets) >= 4
    assert {"tutorial.html", "outline.pdf"} | sheets == set(written)


def test_what_a_numbered_outline_does_not_show_is_said():
    small_THWC = painting().frames_THWC.copy()
    small_THWC[-1, 40:43, 40:43] = (255, 0, 255)
    text = page(frames_THWC=small_THWC, choices=Choices(numbers=True, detail="simple"))
    assert "Colours that have no region large enough to outline" in text

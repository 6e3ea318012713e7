"""A tutorial of a painted process: its steps, its palette and its outline on one page."""

import base64
import dataclasses
import io
from collections import Counter
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image

from painting_jax import media
from painting_jax.data import pictures, segmentation
from painting_jax.data.result_files import OUTLINE, OUTLINE_PDF, TUTORIAL
from painting_jax.instruction import colour_names, light, mixes, outlined
from painting_jax.instruction.language import Words
from painting_jax.instruction.lesson import Card, Subject, card
from painting_jax.instruction.marks import Marks
from painting_jax.instruction.mixing.paints import PaintSet
from painting_jax.instruction.mixing.recipes import recipes
from painting_jax.instruction.outline import detail as details
from painting_jax.instruction.outline import outlines, pdf, svg
from painting_jax.instruction.outline import paper as papers
from painting_jax.instruction.outline.outlines import Outline
from painting_jax.instruction.outline.sheets import Layout, laid_out
from painting_jax.instruction.page.document import (
    Page,
    ShownColour,
    ShownMix,
    ShownStep,
    document,
)
from painting_jax.instruction.palette import Palette
from painting_jax.instruction.places import EVERYWHERE, place
from painting_jax.instruction.steps import Step
from painting_jax.instruction.taught import taught

_SIDE = 768  # longer side of frames that are looked at and shown, in pixels
_FRAMES = 33  # frames in a page, at most
_BYTES = 4_200_000  # of all pictures; their addresses take a third more
_NARROW = 40.0  # side of a painting that is no strip, in mm
_QUALITIES = (86, 78, 68, 56, 42, 30)


@dataclasses.dataclass(frozen=True)
class Choices:
    """What a person chooses of a tutorial.

    Attributes:
      language: One of `language.LANGUAGES`.
      paper: Paper that is painted and printed on, see `paper.size`.
      paints: Name of a built-in set of paints, or the path of a list of one's own; None for one
        that suits the medium.
      width_mm: Width of the painting; None is as large as one sheet holds.
      cells: Cells of a grid on the outline, side by side; 0 for none.
      numbers: Whether the outline is that of the palette's colours, with their numbers.
      detail: Of the outline, one of `detail.NAMES`.
    """

    language: str = "en"
    paper: str = "A4"
    paints: str | None = None
    width_mm: float | None = None
    cells: int = 0
    numbers: bool = False
    detail: str = "normal"

    def check(self, medium: str = "") -> None:
        """Refuses what is unknown, before anything is painted.

        Raises:
          UserError: If the language, the paper, the paints or the detail are unknown.
        """
        Words.of(self.language)
        papers.size(self.paper)
        details.level(self.detail)
        mixes.chosen(medium, self.paints)


def files(
    frames_THWC: np.ndarray,
    picture_HWC: np.ndarray,
    *,
    name: str,
    medium: Mapping[str, float],
    model: str,
    progress_T: np.ndarray | None = None,
    labels_HW: np.ndarray | None = None,
    choices: Choices = Choices(),
) -> dict[str, bytes]:
    """The page of a process, which needs no network, and its outline to print, by file name.

    Args:
      frames_THWC: uint8 RGB frames from the blank canvas to the finished picture.
      picture_HWC: uint8 RGB picture that was painted, of any size.
      name: Name of the picture.
      medium: Weights of the media; empty if they are not known.
      model: Name of the model that painted it; "" for a recording.
      progress_T: Progress of each frame; None = even from 0 to 1.
      labels_HW: Regions of the picture, at any size; None to find them.
      choices: What a person chose.

    Raises:
      UserError: If a choice is unknown, or the painting is too large for so small a paper.
    """
    words = Words.of(choices.language)
    frames_THWC = _at_most(frames_THWC, _SIDE)
    height, width = frames_THWC.shape[1:3]
    choices = dataclasses.replace(choices, width_mm=_width(choices, width / height))
    painting = papers.tiled(width / height, choices.paper, choices.width_mm).painting
    if progress_T is None:
        progress_T = np.linspace(0, 1, len(frames_THWC))
    finished_HWC = frames_THWC[-1]
    if labels_HW is None:
        labels_HW = segmentation.segment(finished_HWC)
    labels_HW = pictures.fit_labels(labels_HW, height, width)
    chief = media.chief(medium)
    palette = Palette.of(finished_HWC)
    subject = Subject(
        chief,
        finished_HWC,
        labels_HW,
        light.direction(finished_HWC, labels_HW),
        palette,
        (choices.paper, float(np.sqrt(np.prod(painting)))),
    )
    found = taught(frames_THWC, progress_T)
    steps = [step for step, _ in found]
    cards = _cards(found, frames_THWC, progress_T, subject, words)
    show = shown(len(frames_THWC), steps)
    *frames, picture = encoded([*frames_THWC[show], pictures.resize(picture_HWC, height, width)])
    named = [words.say("media", key) if words.has("media", key) else key for key in medium]
    colours = [
        ShownColour(
            f"#{bytes(colour).hex()}", colour_names.name(colour).text(words.code), float(share)
        )
        for colour, share in zip(palette.colours_N3, palette.share_N, strict=True)
    ]
    outline, title = _outline(subject, choices), words.say("page", "outline_of", name=name)
    layout = _laid_out(outline, palette, choices, title)
    page = Page(
        name,
        words.listed(named),
        model,
        words,
        (height, width),
        frames,
        picture,
        progress_T[show].tolist(),
        [
            ShownStep(said, show.index(step.first), show.index(step.last), outlined.path(changed))
            for step, (said, changed) in zip(steps, _told_apart(cards, words), strict=True)
        ],
        colours,
        _mixes(palette, mixes.chosen(chief, choices.paints), words),
        _inline(outline, palette, choices, title),
        _left_out(outline, layout, choices, words),
    )
    drawn = {
        OUTLINE.format("" if len(layout.sheets) == 1 else f"-{sheet.name}"): svg.document(
            sheet
        ).encode()
        for sheet in layout.sheets
    }
    return {TUTORIAL: document(page).encode(), OUTLINE_PDF: pdf.document(layout.sheets), **drawn}


def _inline(outline: Outline, palette: Palette, choices: Choices, title: str) -> str:
    """The outline on one sheet, as an element of the page."""
    whole = dataclasses.replace(choices, width_mm=None)
    if _width(whole, outline.width / outline.height) is not None:
        return ""
    (sheet,) = _laid_out(outline, palette, whole, title).sheets
    return svg.document(sheet).partition("?>")[2]


def _width(choices: Choices, aspect: float) -> float | None:
    """The width that was chosen; of a painting that would be a strip on one sheet, a larger one."""
    length = papers.size(choices.paper)[1] - 2 * papers.MARGIN
    if choices.width_mm is None and max(aspect, 1 / aspect) > length / _NARROW:
        return min(_NARROW * max(aspect, 1.0), papers.LARGEST)
    return choices.width_mm


def _outline(subject: Subject, choices: Choices) -> Outline:
    """The outline of the regions, or of the palette's colours if they are numbered."""
    if choices.numbers:
        # Spots of a few pixels, and grain, are nothing to fill in.
        calm_HWC = cv2.bilateralFilter(cv2.medianBlur(subject.picture_HWC, 5), 9, 40, 9)
        return outlines.of(subject.palette.numbers(calm_HWC), None, choices.detail)
    return outlines.of(subject.labels_HW, subject.picture_HWC, choices.detail)


def _laid_out(outline: Outline, palette: Palette, choices: Choices, title: str) -> Layout:
    count = len(palette.colours_N3)
    return laid_out(
        outline,
        choices.paper,
        width_mm=choices.width_mm,
        grid=choices.cells or None,
        numbers={i: str(i) for i in range(1, count + 1)} if choices.numbers else None,
        title=title,
    )


def _left_out(outline: Outline, layout: Layout, choices: Choices, words: Words) -> str:
    """What a numbered outline does not show; "" if it shows all."""
    told = []
    if choices.numbers and outline.lost:
        lost = words.listed([str(number) for number in outline.lost])
        told.append(words.say("page", "lost", numbers=lost))
    if layout.left_out:
        told.append(words.say("page", "no_room", count=len(layout.left_out)))
    return " ".join(told)


def _cards(
    steps: Sequence[tuple[Step, Marks]],
    frames_THWC: np.ndarray,
    progress_T: np.ndarray,
    subject: Subject,
    words: Words,
) -> list[tuple[Card, np.ndarray]]:
    """The text of each step, and where it changes the canvas."""
    cards, before = [], ""
    for step, made in steps:
        time = float(progress_T[step.last] - progress_T[step.first])
        canvas_HWC, goes_on = frames_THWC[step.last], made.kind == before
        said = card(made, canvas_HWC, time, subject, words, goes_on=goes_on)
        cards.append((said, made.changed_HW))
        before = made.kind
    return cards


def _mixes(palette: Palette, sets: Sequence[PaintSet], words: Words) -> dict[str, list[ShownMix]]:
    """How to mix the palette with each set, by its title."""
    shown_sets = {}
    for paint_set in sets:
        found = recipes(palette.colours_N3, paint_set)
        shown_sets[mixes.title(paint_set, words)] = [
            ShownMix(f"#{bytes(recipe.colour).hex()}", *mixes.said(recipe, paint_set, words))
            for recipe in found
        ]
    return shown_sets


def _told_apart(
    cards: list[tuple[Card, np.ndarray]], words: Words
) -> list[tuple[Card, np.ndarray]]:
    """Titles that stand more than once say where, and then which time it is."""
    titles = Counter(said.title for said, _ in cards)
    apart, seen = [], Counter()
    for said, changed_HW in cards:
        title = said.title
        if titles[title] > 1 and (where := place(changed_HW)) != EVERYWHERE:
            title = words.say("title_at", title=title, place=words.say("places", where))
        seen[title] += 1
        if seen[title] > 1:
            title = words.say("title_again", title=title, time=seen[title])
        apart.append((dataclasses.replace(said, title=title), changed_HW))
    return apart


def _at_most(frames_THWC: np.ndarray, side: int) -> np.ndarray:
    """Frames whose longer side is at most so many pixels."""
    if max(frames_THWC.shape[1:3]) <= side:
        return frames_THWC
    return np.stack([pictures.shrunk(frame_HWC, side) for frame_HWC in frames_THWC])


def encoded(frames: Sequence[np.ndarray]) -> list[str]:
    """Frames as addresses, in the best quality at which they are small enough together."""
    for quality in _QUALITIES:
        files = [_webp(frame, quality) for frame in frames]
        if sum(map(len, files)) <= _BYTES:
            break
    return ["data:image/webp;base64," + base64.b64encode(file).decode() for file in files]


def shown(count: int, steps: Sequence[Step]) -> list[int]:
    """Frames that the page shows: where steps begin and end, and others evenly between them."""
    needed = {step.first for step in steps} | {step.last for step in steps}
    others = np.linspace(0, count - 1, min(count, _FRAMES - len(needed))).round().astype(int)
    return sorted(needed | set(others.tolist()))


def _webp(frame_HWC: np.ndarray, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame_HWC).save(file, "webp", quality=quality, method=3)
    return file.getvalue()

"""Contact sheets: the frames of a process in a labelled grid."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_LEAST_SIDE, _MOST_SIDE = 128, 512
_PAPER, _INK = (250, 249, 246), (40, 38, 36)
_FAINT, _RULE = (120, 116, 110), (214, 210, 204)


def contact_sheet(
    frames_THWC: np.ndarray,
    progress: Sequence[float] | np.ndarray | None = None,
    *,
    columns: int | None = None,
    title: str | None = None,
    scale: float | None = None,
    labels: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
) -> np.ndarray:
    """Lays out frames row by row, each with its progress below.

    Args:
      frames_THWC: uint8 RGB, T >= 1.
      progress: Progress of each frame in [0, 1]; None = evenly spaced.
      columns: Frames per row; None = as many as make the sheet about 3:2.
      title: Title above the frames.
      scale: Scale of the frames; None = their longer side gets from 128 to 512 pixels.
      labels: Labels below the frames instead of the progress.
      row_titles: Titles above the rows.

    Returns:
      uint8[height, width, 3].
    """
    count, height, width, _ = frames_THWC.shape
    if scale is None:
        scale = min(max(1.0, _LEAST_SIDE / max(height, width)), _MOST_SIDE / max(height, width))
    height, width = round(height * scale), round(width * scale)
    if labels is None:
        shares = np.linspace(0, 1, count) if progress is None else progress
        labels = [f"{100 * share:.0f} %" for share in shares]
    if columns is None:
        columns = _columns(count, height / width)
    columns = min(columns, count)

    text = max(12, round(max(height, width) / 11))
    gap, below, above = text, round(1.8 * text), round(2.4 * text) if title else 0
    over = round(1.6 * text) if row_titles else 0
    rows = -(-count // columns)
    row_height = over + height + below
    sheet = Image.new(
        "RGB", (columns * (width + gap) + gap, above + rows * row_height + gap), _PAPER
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(text)
    if title:
        heading = ImageFont.load_default(1.25 * text)
        shown = _cut(title, sheet.width - 2 * gap, heading)
        draw.text((gap, gap), shown, fill=_INK, font=heading)
    for row, row_title in enumerate(row_titles or ()):
        shown = _cut(row_title, sheet.width - 2 * gap, font)
        draw.text((gap, gap + above + row * row_height), shown, fill=_INK, font=font)
    for index, (frame_HWC, label) in enumerate(zip(frames_THWC, labels, strict=True)):
        x = gap + index % columns * (width + gap)
        y = gap + above + index // columns * row_height + over
        image = Image.fromarray(frame_HWC).resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(image, (x, y))
        # Without an outline, a blank canvas would be invisible on the paper.
        draw.rectangle((x - 1, y - 1, x + width, y + height), outline=_RULE)
        draw.text((x, y + height + text // 3), label, fill=_FAINT, font=font)
    return np.asarray(sheet)


def _columns(count: int, aspect: float) -> int:
    """Number of columns for a sheet near 3:2 with few empty cells in its last row."""

    def cost(columns: int) -> float:
        rows = -(-count // columns)
        return abs(math.log(columns / (1.5 * rows * aspect))) + (rows * columns - count) / count

    return min(range(1, count + 1), key=cost)


def _cut(text: str, width: int, font: ImageFont.FreeTypeFont) -> str:
    """Shortens a text with an ellipsis to at most `width` pixels."""
    if font.getlength(text) <= width:
        return text
    fits = range(len(text), 0, -1)
    return next((f"{text[:n]}…" for n in fits if font.getlength(f"{text[:n]}…") <= width), "")

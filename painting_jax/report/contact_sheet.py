"""A process on one picture: its frames in a labelled grid."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_LEAST_SIDE = 128
_PAPER, _INK, _FAINT = (250, 249, 246), (40, 38, 36), (140, 136, 130)


def contact_sheet(
    frames_THWC: np.ndarray,
    progress: Sequence[float] | None = None,
    columns: int | None = None,
    title: str | None = None,
    scale: float | None = None,
    labels: Sequence[str] | None = None,
) -> np.ndarray:
    """Lays frames out row by row, each with its progress below.

    Args:
      frames_THWC: uint8 RGB, T >= 1.
      progress: of each frame, in [0, 1]; evenly spread when not given.
      columns: frames in a row; by default the number that makes the sheet about 3:2.
      title: stands above.
      scale: enlarges frames; by default so that their longer side has at least 128 pixels.
      labels: stand below the frames instead of the progress.

    Returns:
      uint8[height, width, 3].
    """
    count, height, width, _ = frames_THWC.shape
    if scale is None:
        scale = max(1.0, _LEAST_SIDE / max(height, width))
    height, width = round(height * scale), round(width * scale)
    if labels is None:
        shares = np.linspace(0, 1, count) if progress is None else progress
        labels = [f"{100 * share:.0f} %" for share in shares]
    if columns is None:
        columns = max(1, round((1.5 * count * height / width) ** 0.5))
    columns = min(columns, count)

    text = max(12, round(max(height, width) / 11))
    gap, below, above = text, round(1.8 * text), round(2.4 * text) if title else 0
    rows = -(-count // columns)
    sheet = Image.new(
        "RGB",
        (columns * (width + gap) + gap, above + rows * (height + below) + gap),
        _PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(text)
    if title:
        heading = _fitting(draw, title, 1.25 * text, sheet.width - 2 * gap)
        draw.text((gap, gap), title, fill=_INK, font=heading)
    for index, (frame_HWC, label) in enumerate(zip(frames_THWC, labels, strict=True)):
        x = gap + index % columns * (width + gap)
        y = gap + above + index // columns * (height + below)
        image = Image.fromarray(frame_HWC).resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(image, (x, y))
        draw.text((x, y + height + text // 3), label, fill=_FAINT, font=font)
    return np.asarray(sheet)


def _fitting(
    draw: ImageDraw.ImageDraw, text: str, size: float, width: int
) -> ImageFont.FreeTypeFont:
    """The font at `size`, or smaller where the text would not fit the width."""
    font = ImageFont.load_default(size)
    needed = draw.textlength(text, font=font)
    return font if needed <= width else ImageFont.load_default(max(8, size * width / needed))

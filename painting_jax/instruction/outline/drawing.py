"""What is drawn on a sheet, in mm from its upper left corner, for any file format."""

import dataclasses

import numpy as np

Colour = tuple[float, float, float]  # RGB, 0..1

# Of the font in which texts are measured, as a share of its size.
DIGIT_WIDTH, DIGIT_HEIGHT = 0.636, 0.729


@dataclasses.dataclass(frozen=True)
class Path:
    """A line that is drawn in one go.

    Attributes:
      xy_P2: Points in mm; if curved, a node, then two handles and a node for each Bézier curve.
      curved: Whether it is curved.
      closed: Whether its last point is its first.
    """

    xy_P2: np.ndarray
    curved: bool = False
    closed: bool = False


@dataclasses.dataclass(frozen=True)
class Text:
    """A line of text.

    Attributes:
      x, y: Beginning or middle of its base line, in mm.
      text: The text.
      size: Size of the font, in mm.
      centred: Whether x is its middle.
    """

    x: float
    y: float
    text: str
    size: float
    centred: bool = True


@dataclasses.dataclass(frozen=True)
class Layer:
    """Paths and texts of one kind.

    Attributes:
      name: A word, unique on its sheet.
      colour: Of lines and texts.
      pen: Width of the lines, in mm.
      paths: Lines.
      texts: Texts.
      window: Left, top, width and height in mm beyond which nothing shows; None is the sheet.
    """

    name: str
    colour: Colour
    pen: float
    paths: tuple[Path, ...] = ()
    texts: tuple[Text, ...] = ()
    window: tuple[float, float, float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A sheet of paper.

    Attributes:
      name: Such as B2: column B, row 2.
      title: Title of the whole drawing.
      width, height: In mm.
      layers: From the lowest to the highest.
    """

    name: str
    title: str
    width: float
    height: float
    layers: tuple[Layer, ...]


def segment(x: float, y: float, to_x: float, to_y: float) -> Path:
    """A straight line."""
    return Path(np.array([[x, y], [to_x, to_y]]))


def moved(
    layer: Layer, by: tuple[float, float], window: tuple[float, float, float, float]
) -> Layer:
    """A layer at another place, without what lies outside the window."""
    left, top, wide, high = window
    by_2 = np.array(by)
    paths = (dataclasses.replace(path, xy_P2=path.xy_P2 + by_2) for path in layer.paths)
    texts = (dataclasses.replace(text, x=text.x + by[0], y=text.y + by[1]) for text in layer.texts)
    return dataclasses.replace(
        layer,
        # Handles enclose their curve.
        paths=tuple(
            path
            for path in paths
            if (path.xy_P2.max(0) >= (left, top)).all()
            and (path.xy_P2.min(0) <= (left + wide, top + high)).all()
        ),
        texts=tuple(text for text in texts if _touches(text, window)),
        window=window,
    )


def _touches(text: Text, window: tuple[float, float, float, float]) -> bool:
    left, top, wide, high = window
    # An em for each letter is more than any letter takes.
    reach = text.size * max(1, len(text.text))
    return (
        left - reach <= text.x <= left + wide + reach
        and top - reach <= text.y <= top + high + reach
    )

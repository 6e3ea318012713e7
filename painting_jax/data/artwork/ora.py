"""OpenRaster pictures (Krita, MyPaint, GIMP) as the states of a canvas, layer by layer."""

import dataclasses
import functools
import io
import math
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from defusedxml import ElementTree
from etils import epath
from PIL import Image

from painting_jax.data import pictures, remarks
from painting_jax.data.artwork import archive, compositing
from painting_jax.errors import UserError

MAX_LAYERS = 2000
_MOST_XML = 4 * 2**20
_MOST_DEPTH = 64
_KIND = "OpenRaster picture"
_SHOWN = ("visible", "")


@dataclasses.dataclass(frozen=True)
class _Node:
    """What layers and stacks of layers have in common."""

    opacity: float
    operation: str


@dataclasses.dataclass(frozen=True)
class _Layer(_Node):
    member: str
    left: int
    top: int


@dataclasses.dataclass(frozen=True)
class _Stack(_Node):
    """Layers and stacks, the bottom first.

    Attributes:
      isolated: Whether the stack is put together before it is laid over what is below it.
    """

    children: tuple["_Layer | _Stack", ...]
    isolated: bool

    @property
    def is_plain(self) -> bool:
        """Whether what is painted within can be seen as it is painted."""
        return self.opacity == 1 and self.operation == "normal"


class Ora:
    """The states of an OpenRaster picture, see `open_ora` and `states.States`."""

    def __init__(self, path: epath.PathLike, shape_HW: tuple[int, int], root: _Stack):
        self.stated: Mapping[str, Any] = {}
        self._path = path
        self._shape_HW = shape_HW
        self._root = root
        self._ground = False
        with archive.opened(path, _KIND) as file:
            for show in self._painted(file, root, self._blank()):
                self._ground = compositing.is_ground(show())
                break

    def __len__(self) -> int:
        return _count(self._root) + 1 - self._ground

    def pictures(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Yields states, see `states.States`."""
        layers = {index + self._ground for index in indices}
        if 0 in layers:
            yield compositing.shown(self._blank())
        with archive.opened(self._path, _KIND) as file:
            painted = self._painted(file, self._root, self._blank())
            for count, show in zip(range(1, max(layers, default=0) + 1), painted, strict=False):
                if count in layers:
                    yield compositing.shown(show())

    def _blank(self) -> np.ndarray:
        return compositing.blank(*self._shape_HW)

    def _painted(
        self, file: zipfile.ZipFile, stack: _Stack, canvas_HW4: np.ndarray
    ) -> Iterator[Callable[[], np.ndarray]]:
        """Paints a stack on a canvas, and yields after each layer what gives the canvas by then."""
        for node in stack.children:
            if isinstance(node, _Layer):
                self._lay(file, node, canvas_HW4)
                yield lambda: canvas_HW4
            elif node.is_plain and not node.isolated:
                yield from self._painted(file, node, canvas_HW4)
            else:
                inside_HW4 = self._blank()
                for show in self._painted(file, node, inside_HW4):
                    if node.is_plain:
                        yield functools.partial(_with, canvas_HW4, show)
                compositing.lay(
                    canvas_HW4, inside_HW4, opacity=node.opacity, operation=node.operation
                )
                if not node.is_plain:
                    yield lambda: canvas_HW4

    def _lay(self, file: zipfile.ZipFile, layer: _Layer, canvas_HW4: np.ndarray) -> None:
        data = archive.read_member(file, layer.member, archive.MOST_BYTES)
        compositing.lay(
            canvas_HW4,
            _decoded(data, f"{os.fspath(self._path)}: its layer {layer.member}"),
            left=layer.left,
            top=layer.top,
            opacity=layer.opacity,
            operation=layer.operation,
        )


def open_ora(path: epath.PathLike) -> Ora:
    """Opens an OpenRaster picture: a state for each of its visible layers, from the bottom.

    The first state is the white page; or the bottom layer, if that is opaque and of one colour
    throughout. The last is the whole picture, over white. A group counts by its layers if it only
    holds them together, else (with an opacity or an operation of its own) as one layer.

    Args:
      path: An .ora file.

    Returns:
      What satisfies `states.States`.

    Raises:
      UserError: If the file is missing, damaged or no OpenRaster picture, its canvas is too large
        or too small (see `pictures`), it has more than `MAX_LAYERS` layers, or it unpacks to more
        than `archive.MOST_BYTES`.
    """
    with archive.opened(path, _KIND) as file:
        xml = archive.read_member(file, "stack.xml", _MOST_XML)
        image = ElementTree.fromstring(xml, forbid_dtd=True)
        width, height = (_whole(image, side, None) for side in ("w", "h"))
        pictures.check_size(path, width, height)
        if len(image.findall(".//layer")) > MAX_LAYERS:
            raise UserError(f"{path} has more than {MAX_LAYERS} layers: merge some")
        top = image.find("stack")
        if top is None:
            raise ValueError("stack.xml has no stack")
        # The outermost stack has no operation of its own.
        root = _Stack(1.0, "normal", _Reader(path).children(top, 0, 0, 1), isolated=True)
    return Ora(path, (height, width), root)


class _Reader:
    """Reads the elements of stack.xml."""

    def __init__(self, path: epath.PathLike):
        self._path = os.fspath(path)

    def children(self, stack: Element, left: int, top: int, depth: int) -> tuple:
        """The visible layers and stacks of a stack, the bottom first."""
        if depth > _MOST_DEPTH:
            raise UserError(f"{self._path} nests groups more than {_MOST_DEPTH} deep: merge some")
        nodes = (self._node(element, left, top, depth) for element in reversed(stack))
        return tuple(node for node in nodes if node is not None)

    def _node(self, element: Element, left: int, top: int, depth: int) -> _Layer | _Stack | None:
        if element.tag not in ("layer", "stack"):
            remarks.add(f"{self._path}: {element.tag} of its stack.xml is unknown and left out")
            return None
        opacity = _opacity(element)
        if element.get("visibility", "").strip() not in _SHOWN or opacity == 0:
            return None
        operation = self._operation(element)
        left, top = left + _whole(element, "x", 0), top + _whole(element, "y", 0)
        if element.tag == "layer":
            return _Layer(opacity, operation, element.get("src", ""), left, top)
        children = self.children(element, left, top, depth + 1)
        isolated = element.get("isolation") == "isolate"
        return _Stack(opacity, operation, children, isolated) if children else None

    def _operation(self, element: Element) -> str:
        name = element.get("composite-op", "svg:src-over")
        operation = "normal" if name == "svg:src-over" else name.removeprefix("svg:")
        if name.startswith("svg:") and operation in compositing.OPERATIONS:
            return operation
        remarks.add(f"{self._path}: composite-op {name} is unknown and taken for svg:src-over")
        return "normal"


def _whole(element: Element, name: str, default: int | None) -> int:
    text = element.get(name, default)
    if text is None:
        raise ValueError(f"stack.xml states no {name} of its {element.tag}")
    return round(float(text))


def _opacity(element: Element) -> float:
    opacity = float(element.get("opacity", 1))
    if math.isnan(opacity):
        raise ValueError("stack.xml states an opacity that is no number")
    return min(1.0, max(0.0, opacity))


def _count(stack: _Stack) -> int:
    """How many layers are seen as they are painted."""
    return sum(
        _count(node) if isinstance(node, _Stack) and node.is_plain else 1 for node in stack.children
    )


def _with(canvas_HW4: np.ndarray, above: Callable[[], np.ndarray]) -> np.ndarray:
    canvas_HW4 = canvas_HW4.copy()
    compositing.lay(canvas_HW4, above())
    return canvas_HW4


def _decoded(data: bytes, name: str) -> np.ndarray:
    """Decodes a layer, uint8[H, W, 4], its colours not multiplied by alpha."""
    with warnings.catch_warnings():
        # Pillow warns at its own size limit, where ours is checked.
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=("PNG",))
        except Image.DecompressionBombError:
            raise UserError(f"{name} has more than {pictures.MAX_MEGAPIXELS} megapixels") from None
        width, height = image.size
        if width * height > pictures.MAX_MEGAPIXELS * 10**6:
            raise UserError(
                f"{name} has {width}x{height} pixels: {pictures.MAX_MEGAPIXELS} megapixels are read"
            )
        if image.mode.startswith("I"):
            # Pillow clips 16-bit grey to 255 when it converts.
            image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
        return np.asarray(image.convert("RGBA"))

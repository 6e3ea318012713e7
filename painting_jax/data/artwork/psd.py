"""Photoshop pictures (PSD and PSB) as the states of a canvas, layer by layer."""

import contextlib
import copy
import dataclasses
import logging
import os
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath
from PIL import Image
from psd_tools import ParseLimits, PSDImage
from psd_tools.api import pil_io
from psd_tools.api.layers import AdjustmentLayer, Artboard, Group, Layer
from psd_tools.api.utils import get_color_channels
from psd_tools.composite import composite
from psd_tools.composite.adjustments import ADJUSTMENT_FUNC
from psd_tools.composite.composite import Compositor, _document_backdrop
from psd_tools.composite.widen import make_widen
from psd_tools.compression import PSDDecompressionWarning
from psd_tools.constants import BlendMode, ColorMode, Compression, Resource, Tag

from painting_jax.data import pictures, remarks
from painting_jax.data.artwork import archive
from painting_jax.errors import UserError

MAX_LAYERS = 2000
# To compose them takes 150 bytes a pixel at once. A page of 59x42 cm at 300 dpi has 35.
MAX_MEGAPIXELS = 36
_KIND = "Photoshop picture"
_DAMAGE = (*pictures.DAMAGE, PSDDecompressionWarning)
_HEADER = struct.Struct(">4sH6xHIIHH")
_MODES = {ColorMode.RGB: "RGB", ColorMode.GRAYSCALE: "L", ColorMode.CMYK: "CMYK"}
_DEPTHS = (8, 16)
_MOST_ALLOCATED = 4 * 2**30  # bytes for one array, as psd-tools estimates them
_PLAIN = (BlendMode.PASS_THROUGH, BlendMode.NORMAL)
# What psd-tools reads but does not draw.
_UNDRAWN = ("dropshadow", "innershadow", "outerglow", "innerglow", "bevelemboss", "satin")

# What it has to say of damaged files comes as an error here.
logging.getLogger("psd_tools").addHandler(logging.NullHandler())


class Psd:
    """The states of a Photoshop picture, see `open_psd` and `states.States`."""

    def __init__(self, path: epath.PathLike, document: PSDImage):
        self.stated: Mapping[str, Any] = {}
        self._path = path
        self._document = document
        with _damage(path):
            self._plan = _Plan(document)
            self._missing = _missing(document)
        if self._missing:
            remarks.add(f"{os.fspath(path)}: {self._missing} cannot be drawn and is left out")
        self._ground = self._begins_with_ground()

    def __len__(self) -> int:
        return self._plan.count + 1 - self._ground

    def pictures(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Yields states, see `states.States`."""
        counts = [index + self._ground for index in indices]
        if 0 in counts:
            yield np.full((self._document.height, self._document.width, 3), 255, np.uint8)
        for count, colour_HWC, alpha_HW1 in self._composed([count for count in counts if count]):
            with _damage(self._path):
                if self._missing and count == self._plan.count and self._document.has_preview():
                    # The program itself could draw what is missing.
                    picture_HWC = _over_white(self._document.topil())
                else:
                    picture_HWC = self._shown(colour_HWC, alpha_HW1)
            yield picture_HWC

    def _begins_with_ground(self) -> bool:
        steps = self._plan.steps
        # To compose a layer takes time: most show by their place that they are no ground.
        if steps and not _covers(steps[0].layer, self._document):
            return False
        for _, colour_HWC, alpha_HW1 in self._composed([1]):
            return bool(alpha_HW1.min() == 1) and not np.ptp(colour_HWC, (0, 1)).any()
        return False

    def _composed(self, counts: Sequence[int]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Colour and alpha, in [0, 1], of so many layers from the bottom (1 at least, rising)."""
        document = self._document
        if not len(document):
            for count in counts:
                with _damage(self._path):
                    colour_HWC, _, alpha_HW1 = composite(document)
                yield count, colour_HWC, alpha_HW1
            return
        now = [0]
        canvas = self._canvas(lambda layer: self._plan.ranks.get(id(layer), now[0]) < now[0])
        for step in self._plan.steps:
            for count in counts:
                if step.first < count < step.last:
                    now[0] = count
                    part = copy.copy(canvas)
                    self._apply(part, step.layer)
                    yield count, *part.finish()[::2]
            now[0] = step.last
            if counts and counts[-1] > step.first:
                self._apply(canvas, step.layer)
            if step.last in counts:
                yield step.last, *canvas.finish()[::2]

    def _canvas(self, is_shown: Callable[[Layer], bool]) -> Compositor:
        """A transparent canvas of psd-tools, on which layers can be laid one after another."""
        document = self._document
        shape_HW = (document.height, document.width)
        return Compositor(
            document.viewbox,
            np.ones((*shape_HW, get_color_channels(document)), np.float32),
            np.zeros((*shape_HW, 1), np.float32),
            is_shown,
            document_backdrop=lambda: _document_backdrop(document, document.viewbox),
            widen=make_widen(document),
            color_mode=document.color_mode,
        )

    def _apply(self, canvas: Compositor, layer: Layer) -> None:
        with _damage(self._path):
            try:
                canvas.apply(layer)
            except ImportError:
                remarks.add(
                    f"{os.fspath(self._path)}: its layer {layer.name!r} is left out, which takes "
                    "another package to draw: pip install 'psd-tools[composite]'"
                )

    def _shown(self, colour_HWC: np.ndarray, alpha_HW1: np.ndarray) -> np.ndarray:
        mode = _MODES[self._document.color_mode]
        values = np.rint(np.clip(colour_HWC, 0, 1) * 255).astype(np.uint8)
        image = Image.fromarray(values[..., 0] if mode == "L" else values, mode)
        profile = self._document.image_resources.get_data(Resource.ICC_PROFILE)
        image = pil_io.post_process(image, None, profile).convert("RGB")
        image.putalpha(Image.fromarray(np.rint(alpha_HW1[..., 0] * 255).astype(np.uint8)))
        return _over_white(image)


def open_psd(path: epath.PathLike) -> Psd:
    """Opens a Photoshop picture: a state for each of its visible layers, from the bottom.

    The first state is the white page; or the bottom layer, if that is opaque and of one colour
    throughout. The last is the whole picture, over white. A group counts by its layers if it only
    holds them together, else (with an opacity, a mask, a blend mode or effects of its own) as one
    layer. Clipped layers and adjustments count as layers.

    Args:
      path: A .psd or .psb file: RGB, grey or CMYK, with 8 or 16 bits.

    Returns:
      What satisfies `states.States`.

    Raises:
      UserError: If the file is missing, damaged or no Photoshop picture, its canvas or a layer is
        too large (see `pictures`), its samples are of another kind, or it has more than
        `MAX_LAYERS` layers.
    """
    path = archive.regular(path)
    with _damage(path), path.open("rb") as file:
        _check_header(path, file.read(_HEADER.size))
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        limits = ParseLimits(max_read_bytes=size)
        document = PSDImage.open(file, max_alloc_bytes=_MOST_ALLOCATED, parse_limits=limits)
        layers = list(document.descendants())
        if len(layers) > MAX_LAYERS:
            raise UserError(f"{path} has {len(layers)} layers: {MAX_LAYERS} are read, merge some")
        for layer in layers:
            if not isinstance(layer, Group):
                _check_box(path, layer)
        if not len(document):
            _check_flat(document)
    return Psd(path, document)


def _check_header(path: epath.Path, header: bytes) -> None:
    """Refuses what cannot be read before psd-tools takes memory for it."""
    signature, version, _, height, width, depth, mode = _HEADER.unpack(header)
    if signature != b"8BPS" or version not in (1, 2):
        raise UserError(f"{path} is no {_KIND}: name a psd or psb file")
    pictures.check_size(path, width, height)
    if width * height > MAX_MEGAPIXELS * 10**6:
        raise UserError(
            f"{path} has {width}x{height} pixels: layers are composed at up to {MAX_MEGAPIXELS} "
            "megapixels, scale it down"
        )
    if mode not in list(_MODES) or depth not in _DEPTHS:
        raise UserError(
            f"{path} has {depth} bits in colour mode {mode}: save it as RGB, grey or CMYK with "
            "8 or 16 bits"
        )


def _check_box(path: epath.Path, layer: Layer) -> None:
    boxes = [(layer.width, layer.height)]
    if layer.mask is not None:
        boxes.append((layer.mask.width, layer.mask.height))
    for width, height in boxes:
        if width * height > pictures.MAX_MEGAPIXELS * 10**6:
            raise UserError(
                f"{path}: its layer {layer.name!r} has {width}x{height} pixels, more than "
                f"{pictures.MAX_MEGAPIXELS} megapixels: cut it off at the canvas"
            )


def _check_flat(document: PSDImage) -> None:
    """Raises a ValueError if the pixels of a picture without layers are cut short.

    psd-tools would show black for those that are missing.
    """
    header, stored = document._record.header, document._record.image_data
    rows = header.height * header.channels
    needed = rows * header.width * header.depth // 8
    if stored.compression == Compression.RLE:
        # The packed lengths of all rows come first.
        lengths = np.frombuffer(stored.data, ">u2" if header.version == 1 else ">u4", rows)
        needed = lengths.nbytes + int(lengths.sum())
    if stored.compression in (Compression.RAW, Compression.RLE) and len(stored.data) < needed:
        raise ValueError(f"it has {len(stored.data)} bytes of pixels, not {needed}")


@contextlib.contextmanager
def _damage(path: epath.PathLike) -> Iterator[None]:
    with archive.damage(path, _KIND, _DAMAGE), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # psd-tools would show black for what it cannot unpack.
        warnings.simplefilter("error", PSDDecompressionWarning)
        yield


@dataclasses.dataclass
class _Step:
    """A layer that is laid on the canvas, with what is clipped to it, or in it if it is a group.

    Attributes:
      layer: The layer.
      first: How many layers are below it.
      last: How many there are with it.
    """

    layer: Layer
    first: int
    last: int


class _Plan:
    """In which order the layers of a document come to be seen.

    Attributes:
      steps: What is laid on the canvas, one after another.
      ranks: How many layers are below each of the visible ones, by `id`.
      count: How many layers are seen as they are painted.
    """

    def __init__(self, document: PSDImage):
        self.steps: list[_Step] = []
        self.ranks: dict[int, int] = {}
        self.count = 0
        if len(document):
            self._lay(document)
        else:
            self.count = 1  # a flat picture

    def _lay(self, layers: Iterable[Layer]) -> None:
        for layer, is_clipped in _visible(layers):
            first = self.count
            if is_clipped:
                self._rank(layer)
                self.steps[-1].last = self.count
            elif isinstance(layer, Group) and _passes_through(layer):
                self._lay(layer)
            else:
                self._rank(layer)
                self.steps.append(_Step(layer, first, self.count))

    def _rank(self, layer: Layer) -> None:
        self.ranks[id(layer)] = self.count
        if isinstance(layer, Group) and _is_plain(layer):
            for child, _ in _visible(layer):
                self._rank(child)
        else:
            if isinstance(layer, Group):
                self.ranks.update((id(child), self.count) for child in _descendants(layer))
            self.count += 1


def _visible(layers: Iterable[Layer]) -> Iterator[tuple[Layer, bool]]:
    """The visible ones of the layers of a group, and whether each is clipped to one below it."""
    base_is_seen = False
    for layer in layers:
        is_seen = layer.visible and layer.opacity > 0 and _paints(layer)
        if not layer.clipping:
            base_is_seen = is_seen
        if is_seen and base_is_seen:
            yield layer, layer.clipping


def _descendants(group: Group | PSDImage) -> Iterator[Layer]:
    """The visible ones of all that a group holds."""
    for layer, _ in _visible(group):
        yield layer
        if isinstance(layer, Group):
            yield from _descendants(layer)


def _paints(layer: Layer) -> bool:
    """Whether a layer has anything to show: programs keep layers that nobody has painted on."""
    if isinstance(layer, Group):
        return any(True for _ in _visible(layer))
    left, top, right, bottom = layer.bbox
    return isinstance(layer, AdjustmentLayer) or (left < right and top < bottom)


def _is_plain(group: Group) -> bool:
    """Whether a group only holds its layers together."""
    return (
        not isinstance(group, Artboard)
        and group.blend_mode in _PLAIN
        and group.opacity == group.fill_opacity == 255
        and not (group.has_mask() or group.has_vector_mask() or group.has_effects())
        and not (group.clipping or group.has_clip_layers())
    )


def _passes_through(group: Group) -> bool:
    """Whether the layers of a group can be laid on the canvas as if there were no group.

    Those of an isolated group can if each only lies over what is below it. Else the group would be
    composed anew for each of its layers.
    """
    is_isolated = group.blend_mode != BlendMode.PASS_THROUGH
    return (
        _is_plain(group)
        and not (is_isolated and any(map(_depends, group.descendants())))
        # They cut a hole down to the bottom of their group.
        and not any(
            layer.tagged_blocks.get_data(Tag.KNOCKOUT_SETTING, 0)
            for layer in (group, *group.descendants())
        )
    )


def _depends(layer: Layer) -> bool:
    """Whether the look of a layer depends on what is below it."""
    return isinstance(layer, AdjustmentLayer) or layer.blend_mode not in _PLAIN


def _missing(document: PSDImage) -> str:
    """What psd-tools does not draw of the visible layers; empty if it draws everything."""
    names = set()
    for layer in _descendants(document):
        if isinstance(layer, AdjustmentLayer) and layer.kind not in ADJUSTMENT_FUNC:
            names.add(layer.kind)
        names.update(name for name in _UNDRAWN if layer.has_effects(name=name))
    return ", ".join(sorted(names))


def _covers(layer: Layer, document: PSDImage) -> bool:
    if isinstance(layer, Group):
        return True
    left, top, right, bottom = layer.bbox
    return left <= 0 and top <= 0 and right >= document.width and bottom >= document.height


def _over_white(image: Image.Image) -> np.ndarray:
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"))

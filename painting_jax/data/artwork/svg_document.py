"""SVG documents as trees that hold all they refer to, and whose size is known."""

import base64
import gzip
import io
import re
import urllib.parse
import warnings
import zlib
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DTDForbidden, EntitiesForbidden
from defusedxml.ElementTree import DefusedXMLParser
from etils import epath
from PIL import Image

from painting_jax.data import file_kinds, pictures
from painting_jax.errors import UserError

MOST_BYTES = 32 << 20  # of a file, and of what it unpacks to
MOST_ELEMENTS = 200_000
MOST_DRAWN = 20_000
MOST_DRAWN_BY_USE = 100_000
# Of elements in elements, those that they refer to included. The renderer's stack holds twice that.
DEEPEST = 100

DRAWN = frozenset(
    ("path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "image", "use")
)
_GROUPS = frozenset(("svg", "g", "a"))
# What runs, holds other documents, or changes with time.
_LEFT_OUT = frozenset(
    ("script", "foreignObject", "animate", "animateMotion", "animateTransform", "set")
)
_NAMESPACE = "http://www.w3.org/2000/svg"
_SVG = (f"{{{_NAMESPACE}}}", "")
_HREFS = ("{http://www.w3.org/1999/xlink}href", "href")  # the last one that is there counts
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_GZIP = b"\x1f\x8b"

# Patterns without a search for the end, which a hostile file would leave out a million times.
_OUTSIDE = re.compile(r"url\((?!\s*['\"]?\s*#)", re.IGNORECASE)
_INSIDE = re.compile(r"url\(\s*['\"]?\s*#([^)'\"]*)", re.IGNORECASE)
_IMPORT = re.compile(r"@import[^;]*;?", re.IGNORECASE)
_HIDDEN = re.compile(r"display\s*:\s*none\b", re.IGNORECASE)
_CLASS = re.compile(r"\.([\w-]+)")


def read(path: epath.PathLike) -> Element:
    """The root of an SVG file, plain or gzipped, without all that is not drawn or lies outside.

    Elements and attributes have their names without namespace. Scripts, foreign objects and
    animations are gone, and of references those that are neither to an element of the file nor a
    jpg, png, gif or webp in it. Of a `switch`, what is shown in English is left.

    Raises:
      UserError: If the file is missing, damaged, no SVG or beyond the bounds, or defines entities.
    """
    path = epath.Path(path)
    root = _parsed(path, _contents(path))
    if _name(root) != "svg":
        raise UserError(f"{path} is damaged or no SVG: its root is no svg element")
    root.tag = "svg"
    _make_plain(root, path)
    _check_references(root, path)
    root.set("xmlns", _NAMESPACE)
    return root


def drawn(root: Element) -> list[tuple[Element, int]]:
    """The elements that are drawn, in document order, each as its parent and its place there.

    Those that are only defined, or not displayed, are not among them.
    """
    hidden_classes = set(_hidden_classes(root))

    def is_shown(element: Element) -> bool:
        return (
            element.get("display", "").strip() != "none"
            and not _HIDDEN.search(element.get("style", ""))
            and hidden_classes.isdisjoint(element.get("class", "").split())
        )

    found = []
    waiting = [(root, place) for place in reversed(range(len(root)))] if is_shown(root) else []
    while waiting:
        parent, place = waiting.pop()
        element = parent[place]
        if not is_shown(element):
            continue
        if element.tag in DRAWN and (
            element.tag not in ("image", "use") or element.get("href") is not None
        ):
            found.append((parent, place))
        elif element.tag in _GROUPS:
            waiting += [(element, place) for place in reversed(range(len(element)))]
    return found


def _contents(path: epath.Path) -> bytes:
    try:
        file_kinds.check_regular(path)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    if data.startswith(_GZIP) and len(data) <= MOST_BYTES:
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path} is damaged or no SVG: {error}") from None
    if len(data) > MOST_BYTES:
        raise UserError(f"{path} is too large for an SVG: up to {MOST_BYTES >> 20} MiB are read")
    return data


class _Bounded(TreeBuilder):
    """Refuses a tree while it grows, before it takes the memory."""

    def __init__(self, path: epath.Path):
        super().__init__()
        self._path, self._depth, self._elements = path, 0, 0

    def start(self, tag: str, attributes: dict[str, str]) -> Element:
        self._depth += 1
        self._elements += 1
        _check_depth(self._depth, self._path)
        if self._elements > MOST_ELEMENTS:
            raise UserError(f"{self._path} has more than {MOST_ELEMENTS} elements: simplify it")
        return super().start(tag, attributes)

    def end(self, tag: str) -> Element:
        self._depth -= 1
        return super().end(tag)


class _Parser(DefusedXMLParser):
    def defused_start_doctype_decl(self, name, sysid, pubid, has_internal_subset):
        # Many programs name a document type, which nothing loads. Definitions could unfold.
        if has_internal_subset:
            super().defused_start_doctype_decl(name, sysid, pubid, has_internal_subset)


def _parsed(path: epath.Path, data: bytes) -> Element:
    parser = _Parser(target=_Bounded(path), forbid_dtd=True)
    try:
        # In one piece: expat begins a long attribute anew with every piece.
        parser.feed(data)
        return parser.close()
    except (DTDForbidden, EntitiesForbidden):
        raise UserError(
            f"{path} defines entities or a document type, which could unfold without end: "
            "save it as plain SVG"
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise UserError(f"{path} is damaged or no SVG: {error}") from None


def _check_depth(depth: int, path: epath.Path) -> None:
    if depth > DEEPEST:
        raise UserError(
            f"{path} nests elements, or references to them, deeper than {DEEPEST}: ungroup them"
        )


def _name(element: Element) -> str:
    """The name of an SVG element; empty for others."""
    namespace, brace, name = element.tag.rpartition("}")
    return name if namespace + brace in _SVG else ""


def _make_plain(root: Element, path: epath.Path) -> None:
    waiting = [root]
    while waiting:
        element = waiting.pop()
        _make_attributes_plain(element, path)
        if element.tag == "style":
            element.text = _IMPORT.sub("", _inside(element.text or ""))
        children = []
        for child in element:
            child.tag = _name(child)
            if child.tag and child.tag not in _LEFT_OUT:
                children.append(child)
        if element.tag == "switch":
            element.tag = "g"
            children = [child for child in children if _is_understood(child)][:1]
        element[:] = children
        waiting += children


def _is_understood(element: Element) -> bool:
    """Whether a child of a `switch` is shown, unless one before it is."""
    languages = element.get("systemLanguage", "en").split(",")
    return (
        element.tag in DRAWN | _GROUPS | {"switch"}
        and not element.get("requiredExtensions")
        and any(language.strip().startswith("en") for language in languages)
    )


def _make_attributes_plain(element: Element, path: epath.Path) -> None:
    attributes = dict(element.items())
    href = [attributes[name] for name in _HREFS if name in attributes][-1:]
    element.attrib.clear()
    for name, value in attributes.items():
        if (not name.startswith("{") and name not in _HREFS) or name == _SPACE:
            element.set(name, _inside(value))
    if href and _is_inside(element, href[0].strip(), path):
        element.set("href", href[0].strip())


def _inside(style: str) -> str:
    """A style in which what referred to other files refers to nothing."""
    return _OUTSIDE.sub("url(#", style)


def _is_inside(element: Element, href: str, path: epath.Path) -> bool:
    if element.tag in ("image", "feImage") and href[:5].lower() == "data:":
        return _is_picture(href[5:], path)
    # A link leads somewhere, but nothing of it is shown.
    return href.startswith("#") and element.tag != "a"


def _is_picture(data_url: str, path: epath.Path) -> bool:
    """Whether pixels are embedded, and not an SVG of which nothing was checked."""
    kind, _, text = data_url.partition(",")
    data = urllib.parse.unquote_to_bytes(text)
    try:
        if kind.rstrip().endswith("base64"):
            data = base64.b64decode(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF", "WEBP"))
        too_large = image.width * image.height > pictures.MAX_MEGAPIXELS * 10**6
    except Image.DecompressionBombError:
        too_large = True
    except pictures.DAMAGE:
        return False
    if too_large:
        raise UserError(
            f"{path} holds a picture of more than {pictures.MAX_MEGAPIXELS} megapixels: shrink it"
        )
    return True


def _check_references(root: Element, path: epath.Path) -> None:
    """Refuses elements that refer to each other in circles, too deeply, or to too many in all."""
    by_id: dict[str, Element] = {}
    for element in root.iter():
        by_id.setdefault(element.get("id"), element)
    # How many elements each draws, and how deep it is; none while it is being looked at.
    seen: dict[Element, tuple[int, int] | None] = {}

    def count(element: Element, above: int) -> tuple[int, int]:
        _check_depth(above + 1, path)
        if element not in seen:
            seen[element] = None
            referred = (by_id[name] for name in _references(element) if name in by_id)
            parts = [count(part, above + 1) for part in (*element, *referred)]
            seen[element] = (
                (element.tag in DRAWN) + sum(drawn for drawn, _ in parts),
                1 + max((depth for _, depth in parts), default=0),
            )
        if seen[element] is None:
            name = element.get("id", "")
            raise UserError(f"{path} has an element {name!r} that refers to itself: remove it")
        _check_depth(above + seen[element][1], path)
        return seen[element]

    total, _ = count(root, 0)
    if total > MOST_DRAWN_BY_USE:
        raise UserError(
            f"{path} draws {total} elements by references to others: up to {MOST_DRAWN_BY_USE} "
            "are drawn"
        )


def _references(element: Element) -> Iterator[str]:
    for name, value in element.items():
        if name == "href" and value.startswith("#"):
            yield value[1:]
        elif name != "href":
            yield from (found.strip() for found in _INSIDE.findall(value))


def _hidden_classes(root: Element) -> Iterator[str]:
    """Classes that a style sheet does not display, as drawing programs write hidden layers."""
    for style in root.iter("style"):
        for rule in (style.text or "").split("}"):
            selectors, _, declarations = rule.partition("{")
            if _HIDDEN.search(declarations):
                for selector in selectors.split(","):
                    if found := _CLASS.fullmatch(selector.strip()):
                        yield found[1]

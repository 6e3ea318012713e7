"""Groups of an SVG that are drawn as one layer, and so change while they are half drawn."""

import itertools
import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element

# Properties that make a layer of a group, and their values that do not.
_LAYERING = ("opacity", "filter", "mask", "clip-path", "mix-blend-mode", "isolation")
_HARMLESS = frozenset(("", "1", "1.0", "100%", "none", "normal", "auto"))
_DECLARED = re.compile(rf"(?<![\w-])(?:{'|'.join(_LAYERING)})\s*:", re.IGNORECASE)
_NAME = re.compile(r"[.#][\w-]+")
# In a selector: what is chosen by its neighbours, or by names written in another way.
_INTRICATE = re.compile(r"[:+~\\\[]")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def finished(root: Element, drawn: Sequence[tuple[Element, int]]) -> list[int]:
    """With how many elements the canvas was last without a half-drawn layer: int[N + 1].

    What is drawn next lies over the canvas as it was then.

    Args:
      root: A document as `svg_document.read` gives it.
      drawn: Its N elements that are drawn, see `svg_document.drawn`.

    Returns:
      For 0 to N drawn elements, at most so many.
    """
    named = _named_in_styles(root)
    if named is None:
        return [*([0] * len(drawn)), len(drawn)]
    parents = {child: parent for parent in root.iter() for child in parent}
    # The outermost layer in which a group's elements are drawn; None for the canvas itself.
    layers: dict[Element, Element | None] = {}

    def layer(group: Element) -> Element | None:
        if group not in layers:
            above = None if group is root else layer(parents[group])
            is_layer = _is_layer(group, named) or (group.tag == "svg" and group is not root)
            layers[group] = above if above is not None else group if is_layer else None
        return layers[group]

    each, found = [layer(parent) for parent, _ in drawn], [0]
    for count, (last, following) in enumerate(itertools.pairwise([*each, None]), start=1):
        is_half_drawn = last is not None and last is following
        found.append(found[-1] if is_half_drawn else count)
    return found


def _is_layer(group: Element, named: frozenset[str]) -> bool:
    stated = {name: group.get(name, "") for name in _LAYERING}
    for declaration in group.get("style", "").split(";"):
        name, _, value = declaration.partition(":")
        if name.strip().lower() in stated:
            stated[name.strip().lower()] = value
    names = {f".{name}" for name in group.get("class", "").split()} | {f"#{group.get('id')}"}
    return not named.isdisjoint(names) or any(
        value.strip().lower() not in _HARMLESS for value in stated.values()
    )


def _named_in_styles(root: Element) -> frozenset[str] | None:
    """The classes and ids to which style sheets give such properties; None if it may be anything.

    They begin with a dot or a hash.
    """
    named: set[str] = set()
    for style in root.iter("style"):
        for rule in _COMMENT.sub("", style.text or "").split("}"):
            selectors, _, declarations = rule.partition("{")
            if _INTRICATE.search(selectors) or "\\" in declarations:
                return None
            if not _DECLARED.search(declarations):
                continue
            for selector in selectors.replace(">", " ").split(","):
                names = _NAME.findall(selector.split()[-1]) if selector.strip() else []
                if not names:
                    return None
                named.update(names)
    return frozenset(named)

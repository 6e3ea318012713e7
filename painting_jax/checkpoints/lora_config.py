"""The scale of a LoRA's layers, by its alphas or by PEFT's config."""

import dataclasses
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from painting_jax.checkpoints.lora_keys import Key
from painting_jax.errors import UserError

_FLOAT32_MAX = float(np.finfo(np.float32).max)
# Python matches regular expressions without a limit of time, and some take for ever on a name that
# they do not match. Patterns are bounded so that one match takes a part of a second.
_MAX_PATTERN, _MAX_NAME = 500, 200  # characters
_MAX_REPEATS = 3
_MAX_WAYS = 200  # to choose the alternatives of all groups
_MATCHING_SECONDS = 20.0  # for all layers and patterns


class _Pattern(NamedTuple):
    """A value of the layers whose names match."""

    expression: re.Pattern
    value: float


@dataclasses.dataclass
class Scaling:
    """The scales of a LoRA's products.

    Attributes:
      name: Name of the LoRA for messages.
      origin: Where the config is from.
      alpha: Alpha of every layer; None = not given.
      alphas: Alphas of layers that match a pattern; the first match counts.
      rank: Rank of every layer; None = not given.
      ranks: Ranks of layers that match a pattern.
      rank_stabilized: Whether alpha is divided by the root of the rank (rsLoRA).
      scales: The scales so far.
      origins: Where they come from.
    """

    name: str = ""
    origin: str = ""
    alpha: float | None = None
    alphas: list[_Pattern] = dataclasses.field(default_factory=list)
    rank: float | None = None
    ranks: list[_Pattern] = dataclasses.field(default_factory=list)
    rank_stabilized: bool = False
    scales: set[float] = dataclasses.field(default_factory=set)
    origins: set[str] = dataclasses.field(default_factory=set)
    _seconds: float = 0.0

    @classmethod
    def of(cls, name: str, config: Any, origin: str, *, second: bool) -> "Scaling":
        """Reads PEFT's config.

        Args:
          name: Name of the LoRA.
          config: The config, or None. It may be that of two transformers.
          origin: Where it is from.
          second: Whether the LoRA is for the second transformer.

        Raises:
          UserError: If the config is damaged in any way.
        """
        if config is None:
            return cls()
        if not isinstance(config, Mapping):
            raise UserError(damaged(name, "it is not a JSON object"))
        config = _of_expert(config, second)
        # LoHa and LoKr have the second name.
        alpha, rank = config.get("lora_alpha", config.get("alpha")), config.get("r")
        for key, value in {"lora_alpha": alpha, "r": rank}.items():
            if value is not None:
                _check_number(name, key, value)
        return cls(
            name,
            origin,
            alpha,
            _patterns(name, config, "alpha_pattern"),
            rank,
            _patterns(name, config, "rank_pattern"),
            bool(config.get("use_rslora")),
        )

    def fits(self, ranks: Iterable[tuple[Key, int]]) -> bool:
        """Whether the config's ranks are those of the layers."""
        ranks = list(ranks)
        return bool(ranks) and all(
            self._of(key, self.ranks, self.rank) == rank for key, rank in ranks
        )

    def scale(self, key: Key, alpha: np.ndarray | None, rank: int | None) -> float:
        """alpha / rank of a layer; 1 without any alpha.

        Args:
          key: A key of the layer.
          alpha: The layer's own alpha in the file, which wins over the config.
          rank: The layer's rank; None for a product of whole factors, which PEFT alone scales.
        """
        value: float | None
        if alpha is not None:
            value, origin = float(alpha.astype(np.float32).reshape(())), "alphas in the file"
            scale = 1.0 if rank is None else value / rank
        else:
            value, origin = self._of(key, self.alphas, self.alpha), self.origin
            divisor = self._of(key, self.ranks, self.rank) if rank is None else rank
            if value is None or not divisor:
                scale, origin = 1.0, "no alpha"
            else:
                scale = value / (divisor**0.5 if self.rank_stabilized else divisor)
        self.scales.add(scale)
        self.origins.add(origin)
        return scale

    def _of(self, key: Key, patterns: list[_Pattern], default: float | None) -> float | None:
        """The value of the first pattern that matches a layer's name."""
        if not patterns:
            return default
        # A pattern matches the layer's name in its model. Keys may have prefixes before that name.
        names = [key.module[dot.end() :] for dot in re.finditer(r"^|\.", key.prefix)]
        names = [name for name in names if len(name) <= _MAX_NAME]
        begun = time.monotonic()
        try:
            for pattern in patterns:
                if any(map(pattern.expression.fullmatch, names)):
                    return pattern.value
                if self._seconds + time.monotonic() - begun > _MATCHING_SECONDS:
                    reason = f"its {len(patterns)} patterns take too long to match"
                    raise UserError(damaged(self.name, reason))
        finally:
            self._seconds += time.monotonic() - begun
        return default


def _of_expert(config: Mapping[str, Any], second: bool) -> dict[str, Any]:
    """The entries for one of two transformers, whose names diffusers writes before them."""
    common: dict[str, Any] = {}
    experts: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for key, value in config.items():
        for expert, prefix in zip(experts, ("transformer.", "transformer_2."), strict=True):
            if key.startswith(prefix):
                expert[key.removeprefix(prefix)] = value
                break
        else:
            common[key] = value
    return common | (experts[second] or experts[not second])


def _check_number(name: str, key: str, value: Any) -> None:
    if type(value) not in (int, float) or not abs(value) < _FLOAT32_MAX:
        raise UserError(damaged(name, f"the alpha or rank of {key!r:.80} is not a number"))


def _patterns(name: str, config: Mapping[str, Any], key: str) -> list[_Pattern]:
    given = config.get(key) or {}
    if not isinstance(given, Mapping):
        raise UserError(damaged(name, f"{key} is not a JSON object"))
    for pattern, value in given.items():
        _check_number(name, pattern, value)
    return [_Pattern(_compiled(name, pattern), value) for pattern, value in given.items()]


def _compiled(name: str, pattern: str) -> re.Pattern:
    """A pattern for the ends of layers' names.

    Raises:
      UserError: If it is none, or one that could take for ever to match.
    """
    if not _is_fast(pattern):
        raise UserError(
            damaged(
                name,
                f"{pattern!r:.80} may take for ever to match: patterns may hold names, "
                f"alternatives and up to {_MAX_REPEATS} repeated characters",
            )
        )
    try:
        return re.compile(rf"(?:.*\.)?(?:{pattern})")
    except (re.error, RecursionError, OverflowError) as error:
        reason = f"{pattern!r:.80} is not a regular expression: {error}"
        raise UserError(damaged(name, reason)) from error


def _is_fast(pattern: str) -> bool:
    """Whether a match is bounded: no group is repeated, and there are few ways to match."""
    if len(pattern) > _MAX_PATTERN or re.search(r"\\[0-9]", pattern):
        return False
    # Escapes and classes stand for one character.
    plain = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "x", pattern).replace("(?:", "(")
    if "(?" in plain or re.search(r"\)[*+?{]", plain):
        return False
    ways, open_groups = 1, [1]
    for sign in plain:
        if sign == "(":
            open_groups.append(1)
        elif sign == "|":
            open_groups[-1] += 1
        elif sign == ")" and len(open_groups) > 1:
            ways *= open_groups.pop()
    return ways <= _MAX_WAYS and len(re.findall(r"[*+?{]", plain)) <= _MAX_REPEATS


def damaged(name: str, reason: str) -> str:
    """A message about an adapter's config."""
    return f"{name} has a damaged adapter config ({reason}): fetch it again"

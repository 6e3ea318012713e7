"""The curves of a report, as SVG in the page's colours."""

import io
import re
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from painting_jax.evaluation.measures import (
    BASELINES,
    BLUR_TO_SHARP,
    CROSS_FADE,
    OTHER_PICTURE,
    RECORDED,
    MeasuredProcess,
)
from painting_jax.evaluation.result import Result

# Placeholder for the page's text colour, replaced in the SVG.
_INK = "#010203"

_FIXED = {
    RECORDED: _INK,
    CROSS_FADE: "#4c8bd6",
    BLUR_TO_SHARP: "#9a6dd7",
    OTHER_PICTURE: "#3f9d6b",
}
_COLOURS = ("#e8590c", "#1971c2", "#2f9e44", "#ae3ec9", "#c2a000", "#d6336c", "#0c8599", "#74513f")


def profiles(
    rows: Sequence[MeasuredProcess],
    judged: Sequence[str],
    *,
    distance: str,
    title: str,
    small: bool = False,
) -> str:
    """Draws each method's mean profile to the recorded finished picture, with a 10-90 % band.

    Args:
      rows: Processes whose profiles are averaged by method.
      judged: Evaluated methods.
      distance: Label of the perceptual distance.
      title: Accessible title.
      small: Whether to draw for a grid: without legend and axis labels.

    Returns:
      An SVG element.
    """
    figure, axes = _axes(small, bends_of(rows))
    for method in [RECORDED, *judged, *BASELINES]:
        profiles_NK = np.array([row.profile_K for row in rows if row.method == method])
        if not len(profiles_NK):
            continue
        main, colour = method not in BASELINES, _colour(method, judged)
        _curve(axes, profiles_NK.mean(axis=0), method, colour, main=main)
        if main and len(profiles_NK) > 2:
            low_K, high_K = np.percentile(profiles_NK, [10, 90], axis=0)
            _fill(axes, low_K, high_K, colour)
    return _svg(figure, axes, title, None if small else f"{distance} to the finished picture")


def own_profiles(result: Result, *, title: str, medium: str = "", top: float | None = None) -> str:
    """Draws the profiles of videos to their own last frames, over the recorded set's band.

    Args:
      result: Result of an unpaired evaluation.
      title: Accessible title.
      medium: Medium whose videos and band to draw, small; "" = all over the band of all.
      top: Upper end of the distance axis; None = automatic.

    Returns:
      An SVG element.
    """
    rows = [row for row in result.rows if medium in ("", row.medium)]
    figure, axes = _axes(bool(medium), bends_of(rows))
    band = result.bands[medium] if medium else result.band
    if band is not None:
        _curve(axes, band.mean_K, f"recorded, mean of {band.n}", _INK, main=True)
        _fill(axes, band.low_K, band.high_K, _INK)
    for label, colour, drawn in _lines(result):
        profiles_NK = np.array([row.own_profile_K for row in drawn if medium in ("", row.medium)])
        if len(profiles_NK):
            _curve(axes, profiles_NK.mean(axis=0), label, colour, main=True)
        if len(profiles_NK) > 2:
            low_K, high_K = np.percentile(profiles_NK, [10, 90], axis=0)
            _fill(axes, low_K, high_K, colour)
    ylabel = None if medium else f"{result.distance} to the own last frame"
    return _svg(figure, axes, title, ylabel, top=top)


def _lines(result: Result) -> list[tuple[str, str, list[MeasuredProcess]]]:
    """Names, colours and processes of the curves: few videos one by one, many by method."""
    generated = [row for row in result.rows if row.method in result.judged]
    if len(result.judged) == 1 and len(generated) <= len(_COLOURS):
        return [(row.name, c, [row]) for row, c in zip(generated, _COLOURS, strict=False)]
    by_method = {m: [row for row in generated if row.method == m] for m in result.judged}
    return [
        (f"{method}, mean of {len(rows)}", _colour(method, result.judged), rows)
        for method, rows in by_method.items()
    ]


def _colour(method: str, judged: Sequence[str]) -> str:
    if method in _FIXED:
        return _FIXED[method]
    return _COLOURS[judged.index(method) % len(_COLOURS)]


def by_medium(result: Result) -> dict[str, str]:
    """Draws a small figure per medium: of pairs, or of own last frames over the medium's band."""
    if result.bands:
        # One scale, so that the figures compare.
        shown = [row.own_profile_K for row in result.rows if row.medium in result.bands]
        top = 1.05 * float(np.max(shown))
        return {
            medium: own_profiles(
                result, title=f"Distance profiles in {medium}", medium=medium, top=top
            )
            for medium in result.bands
        }
    media = sorted({row.medium for row in result.rows if row.medium and row.method != RECORDED})
    return {
        medium: profiles(
            [row for row in result.rows if row.medium == medium],
            result.judged,
            distance=result.distance,
            title=f"Distance profiles in {medium}",
            small=True,
        )
        for medium in media
    }


def bends_of(rows: Sequence[MeasuredProcess]) -> tuple[float, ...]:
    """Mean progress of both bends of recorded profiles; empty if none bends."""
    recorded = [row.numbers for row in rows if row.method == RECORDED]
    bends = [(numbers["first_bend"], numbers["second_bend"]) for numbers in recorded]
    bends = [pair for pair in bends if np.isfinite(pair).all()]
    return tuple(np.mean(bends, axis=0)) if bends else ()


def _axes(small: bool, bends: Sequence[float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(2.6, 1.9) if small else (7.2, 4.4), layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    for progress in bends:
        axes.axvline(progress, color=_INK, alpha=0.25, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1] if small else np.linspace(0, 1, 5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axes.tick_params(colors=_INK, labelsize=7 if small else 9, length=3)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK)
        spine.set_alpha(0.4)
    return figure, axes


def _curve(axes: Axes, curve_K: np.ndarray, label: str, colour: str, *, main: bool) -> None:
    axes.plot(
        np.linspace(0, 1, len(curve_K)),
        curve_K,
        # Matplotlib omits names that start with an underscore from the legend.
        label=_plain(label if not label.startswith("_") else f" {label}"),
        color=colour,
        linewidth=2.2 if main else 1.3,
        linestyle="-" if main else (0, (4, 2)),
    )


def _fill(axes: Axes, low_K: np.ndarray, high_K: np.ndarray, colour: str) -> None:
    grid_K = np.linspace(0, 1, len(low_K))
    axes.fill_between(grid_K, low_K, high_K, color=colour, alpha=0.14, linewidth=0)


def _svg(
    figure: Figure, axes: Axes, title: str, ylabel: str | None, *, top: float | None = None
) -> str:
    axes.set_ylim(0, top)
    if ylabel:
        axes.set_ylabel(_plain(ylabel), color=_INK, fontsize=9)
        axes.set_xlabel("progress", color=_INK, fontsize=9)
        figure.legend(
            loc="outside lower center", ncols=3, frameon=False, labelcolor=_INK, fontsize=9
        )
    # The salt makes ids unique on the page and reproducible.
    style = {"svg.fonttype": "none", "svg.hashsalt": title}
    buffer = io.StringIO()
    with matplotlib.rc_context(style):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue().replace(_INK, "currentColor")
    text = text[text.index("<svg") :]
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    label = f' role="img" aria-label="{_attribute(title)}"'
    return re.sub(r"<svg", "<svg" + label, text, count=1)


def _plain(text: str) -> str:
    """Escapes dollar signs, which matplotlib reads as mathematics."""
    return text.replace("$", r"\$")


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")

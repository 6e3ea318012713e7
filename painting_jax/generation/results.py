"""A painted process on disk: what `generate` and the studio write of it."""

import dataclasses
import functools
from collections.abc import Callable

from painting_jax.errors import readable
from painting_jax.generation import colours, final_frame, outputs
from painting_jax.generation.job import Painted
from painting_jax.instruction.tutorial import Choices


def write(
    painted: Painted,
    label: str,
    *,
    match_colors: bool = False,
    fps: float | None = None,
    with_mark: bool = True,
    tutorial: Choices | None = None,
    on_file: Callable[[], object] | None = None,
) -> float:
    """Writes a process to its job's folder, whole or not at all.

    Args:
      painted: Process.
      label: Name of the model.
      match_colors: Whether the picture's colours are carried through it, see `colours.matched`.
      fps: As in `outputs.write`.
      with_mark: As in `outputs.write`.
      tutorial: What the tutorial beside it is to be like; None = there is none.
      on_file: As in `outputs.write`.

    Returns:
      How far the last frame is from the picture, see `final_frame.difference`.
    """
    if match_colors:
        painted = dataclasses.replace(painted, frames_THWC=colours.matched(painted))
    differs = final_frame.difference(painted)
    outputs.write(
        painted.job.folder,
        painted.frames_THWC,
        title=f"{painted.job.subject.name}, {painted.job.medium}",
        model=readable(label),
        parameters={
            **painted.parameters,
            "match_colors": match_colors,
            "final_difference": round(differs, 2),
            "colour_shift": colours.shifts(painted),
        },
        progress_T=painted.progress_T,
        regions_HWC=painted.regions_HWC,
        labels_HW=painted.labels_HW,
        fps=fps,
        with_mark=with_mark,
        tutorial=functools.partial(painted.tutorial, model=readable(label), choices=tutorial)
        if tutorial
        else None,
        on_file=on_file,
    )
    return differs

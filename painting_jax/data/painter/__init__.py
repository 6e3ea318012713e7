"""The procedural painter: paints any photo in any medium and returns the whole process.

Each `Stage` of the medium is planned as strokes (`planning`), in the order of `turns`. The strokes
are stamped all at once (`strokes`) and applied to the canvas (`canvas`). In such a layer of paint a
pixel changes at most once. Frames are therefore made from the canvas after each layer and the time
at which each pixel changes (`timeline`). Where regions are painted behind nearer ones, their
strokes there are a layer of their own.
"""

import dataclasses
import zlib
from collections.abc import Callable

import numpy as np

from painting_jax import media
from painting_jax.data import bars
from painting_jax.data.keeping import kept
from painting_jax.data.painter import canvas as surface
from painting_jax.data.painter.guides import Guides, line_art, see, see_behind
from painting_jax.data.painter.laid import Pass
from painting_jax.data.painter.length import moments
from painting_jax.data.painter.manner import DIRECTIONS, LAYERED, Manner, describe, every_word
from painting_jax.data.painter.placing import BROAD
from painting_jax.data.painter.planning import plan
from painting_jax.data.painter.stages import constructed, laid_behind
from painting_jax.data.painter.strokes import stamp
from painting_jax.data.painter.timeline import Timeline
from painting_jax.data.painter.turns import due, turns
from painting_jax.data.segmentation import segment
from painting_jax.errors import UserError

__all__ = [
    "DIRECTIONS",
    "Manner",
    "Painting",
    "Pass",
    "describe",
    "every_word",
    "line_art",
    "paint",
]

# A picture is painted in one medium after the other.
_segment = kept(segment)
_FINE_UP_TO = 384  # largest shorter side, in pixels, at which strokes are antialiased


@dataclasses.dataclass(frozen=True)
class Painting:
    """One painted process.

    Attributes:
      frames_THWC: uint8 frames from the blank ground to the finished picture.
      progress_T: float32 progress of each frame, from 0 to 1.
      segments_HW: uint8 labels 1..K in painting order.
      manner: Manner in which the picture was painted.
    """

    frames_THWC: np.ndarray
    progress_T: np.ndarray
    segments_HW: np.ndarray
    manner: Manner


def paint(
    photo_HWC: np.ndarray,
    medium: str,
    *,
    frames: int | None = None,
    seed: int,
    manner: Manner | None = None,
    segments_HW: np.ndarray | None = None,
    watch: Callable[[Pass], object] | None = None,
) -> Painting:
    """Paints a photo; the same arguments give the same bits. Bars around it are left as they are.

    Args:
      photo_HWC: uint8 RGB.
      medium: Name from `media.MEDIA`.
      frames: Number of frames, at least 2, evenly spaced in progress; None for 9 to 49 frames,
        as many as the process needs, where the canvas changes.
      seed: Seed of stroke placement and colour.
      manner: Manner of painting; None for the medium's default.
      segments_HW: uint8 labels in painting order; None for automatic segmentation.
      watch: Function that is told of each pass after it is laid; None for nobody. Strokes have
        their places within the bars.

    Raises:
      UserError: If the medium or the manner is unknown, if there are fewer than 2 frames, or if
        the segments and the photo differ in size.
    """
    if medium not in media.MEDIA:
        raise UserError(f"unknown medium {medium!r}: known are {', '.join(media.MEDIA)}")
    if frames is not None and frames < 2:
        raise UserError(f"a process needs at least 2 frames, not {frames}")
    entry = media.MEDIA[medium]
    manner = manner or Manner.default(medium)
    manner.check(medium)
    if segments_HW is not None and segments_HW.shape != photo_HWC.shape[:2]:
        raise UserError(
            f"segments are {segments_HW.shape}, the picture {photo_HWC.shape[:2]}: sizes must match"
        )
    if inside := bars.inside(photo_HWC):
        inner = paint(
            inside.cut(photo_HWC),
            medium,
            frames=frames,
            seed=seed,
            manner=manner,
            segments_HW=None if segments_HW is None else inside.cut(segments_HW),
            watch=watch,
        )
        return dataclasses.replace(
            inner,
            frames_THWC=inside.framed(inner.frames_THWC, photo_HWC),
            segments_HW=inside.extended(inner.segments_HW, photo_HWC.shape[:2]),
        )
    if segments_HW is None:
        segments_HW = _segment(photo_HWC)
    rng = np.random.default_rng([seed, zlib.crc32(medium.encode())])
    scale = 2 if min(segments_HW.shape) <= _FINE_UP_TO else 1
    guides = see(photo_HWC, entry, segments_HW)
    ground_C = np.array(entry.grounds[manner.ground], np.float32)
    canvas_YXC = np.broadcast_to(ground_C, (*surface.finer(segments_HW, scale).shape, 3)).copy()
    timeline = Timeline(canvas_YXC, scale)
    stages = constructed(entry.stages, manner.construction)
    for stage, turn in zip(stages, turns(stages, manner.order, segments_HW), strict=True):
        passes: list[tuple[Guides, np.ndarray | None]] = [(guides, None)]
        if manner.order == LAYERED and stage is laid_behind(stages):
            hidden = see_behind(guides, entry, stage.blend)
            passes.insert(0, (hidden, hidden.labels_HW > 0))
        for seen, where_HW in passes:
            strokes, flow_HWC = plan(
                stage,
                turn,
                medium=entry,
                manner=manner,
                guides=seen,
                canvas_HWC=surface.coarser(canvas_YXC, scale),
                rng=rng,
                where_HW=where_HW,
            )
            clip = stage.marks == "strokes" and stage.blend != "lift"
            marks = stamp(
                strokes,
                surface.finer(seen.labels_HW, scale),
                scale=scale,
                blunt=entry.blunt,
                clip=clip,
                # Small pictures show no gaps between bristles.
                dry=entry.dry if stage.width >= BROAD and guides.unit > 1 else 0,
            )
            before_YXC = canvas_YXC
            canvas_YXC = surface.laid(
                before_YXC,
                strokes,
                marks,
                flow_HWC=flow_HWC,
                ground_C=ground_C,
                stage=stage,
                medium=entry,
                guides=seen,
                scale=scale,
            )
            timeline.add(canvas_YXC, due(strokes, marks, turn))
            if watch is not None:
                watch(
                    Pass(
                        stage=stage,
                        turns=turn,
                        strokes=strokes,
                        labels_HW=seen.labels_HW,
                        marks=marks,
                        before_YXC=before_YXC,
                        after_YXC=canvas_YXC,
                        ground_C=ground_C,
                        scale=scale,
                    )
                )
    if frames is None:
        progress_T = moments(timeline.work)
    else:
        progress_T = np.linspace(0, 1, frames, dtype=np.float32)
    return Painting(timeline.frames(progress_T), progress_T, segments_HW.astype(np.uint8), manner)

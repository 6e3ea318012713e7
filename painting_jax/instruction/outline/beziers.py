"""Cubic Bézier curves through points (Schneider, Graphics Gems 1990)."""

import itertools

import numpy as np

from painting_jax.instruction.outline.joining import Stroke

_TURNS = 3  # times the points' places on a curve are sought again
_HOPEFUL = 3.0  # misses up to so many tolerances are worth it
_SIDE = 5  # points on both sides that give the direction at a point
_END = 12  # points that give it at an end, which has one side


def fitted(stroke: Stroke, tolerance: float) -> np.ndarray:
    """Curves along a stroke, smooth where they meet, with a node wherever another stroke ends.

    Args:
      stroke: Points, a pixel apart.
      tolerance: Greatest distance of a point from the curve, in pixels.

    Returns:
      [1 + 3 S, 2]: a node, then for each of the S curves two handles and its last node.
    """
    xy_P2 = stroke.xy_P2
    cuts = sorted({0, *stroke.stops, len(xy_P2) - 1})
    curves: list[np.ndarray] = []
    for begin, end in itertools.pairwise(cuts):
        out_2 = _direction(xy_P2, begin, stroke.closed)
        in_2 = -_direction(xy_P2, end, stroke.closed)
        _fit(xy_P2[begin : end + 1], out_2, in_2, tolerance, curves)
    return np.concatenate([xy_P2[:1], *curves])


def along(xy_C2: np.ndarray, step: float) -> np.ndarray:
    """Points of curves [1 + 3 S, 2], at most `step` apart, with all their nodes."""
    points = [xy_C2[:1]]
    for first in range(0, len(xy_C2) - 1, 3):
        curve_42 = xy_C2[first : first + 4]
        length = np.hypot(*np.diff(curve_42, axis=0).T).sum()
        u_P = np.linspace(0, 1, max(2, int(np.ceil(length / step)) + 1))[1:]
        points.append(_weights(u_P) @ curve_42)
    return np.concatenate(points)


def _direction(xy_P2: np.ndarray, at: int, closed: bool) -> np.ndarray:
    last = len(xy_P2) - 1
    if closed and at in (0, last):
        side = min(_SIDE, last // 2)
        ahead_2 = xy_P2[side] - xy_P2[last - side]
    else:
        side = _END if at in (0, last) else _SIDE
        ahead_2 = xy_P2[min(at + side, last)] - xy_P2[max(at - side, 0)]
    return ahead_2 / max(np.hypot(*ahead_2), 1e-9)


def _fit(xy_P2, out_2, in_2, tolerance: float, curves: list[np.ndarray]) -> None:
    """Appends curves [3, 2] without their first node; a stack, since lines may be long."""
    waiting = [(xy_P2, out_2, in_2)]
    while waiting:
        xy_P2, out_2, in_2 = waiting.pop()
        curve_42, miss, worst = _best(xy_P2, out_2, in_2, tolerance)
        if miss <= tolerance or len(xy_P2) < 4:
            curves.append(curve_42[1:])
            continue
        worst = min(max(worst, 1), len(xy_P2) - 2)
        through_2 = _direction(xy_P2, worst, False)
        waiting.append((xy_P2[worst:], through_2, in_2))
        waiting.append((xy_P2[: worst + 1], out_2, -through_2))


def _best(xy_P2, out_2, in_2, tolerance: float) -> tuple[np.ndarray, float, int]:
    """The curve nearest to points, its greatest miss, and where that is."""
    way_P = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(xy_P2, axis=0).T))])
    u_P = way_P / max(way_P[-1], 1e-9)
    for _ in range(_TURNS + 1):
        curve_42 = _least_squares(xy_P2, u_P, out_2, in_2, way_P[-1])
        apart_P2 = _weights(u_P) @ curve_42 - xy_P2
        miss_P = (apart_P2**2).sum(1)
        worst = int(miss_P.argmax())
        miss = float(np.sqrt(miss_P[worst]))
        if miss <= tolerance or miss > _HOPEFUL * tolerance:
            break
        # One step of Newton's method towards the foot of each point on the curve.
        first_32 = 3 * np.diff(curve_42, axis=0)
        second_22 = 2 * np.diff(first_32, axis=0)
        v_P = 1 - u_P
        speed_P2 = np.stack([v_P**2, 2 * u_P * v_P, u_P**2], 1) @ first_32
        turn_P2 = np.stack([v_P, u_P], 1) @ second_22
        slope_P = (speed_P2**2).sum(1) + (apart_P2 * turn_P2).sum(1)
        step_P = (apart_P2 * speed_P2).sum(1) / np.where(slope_P > 1e-9, slope_P, np.inf)
        u_P = np.clip(u_P - step_P, 0, 1)
    return curve_42, miss, worst


def _least_squares(xy_P2, u_P, out_2, in_2, length: float) -> np.ndarray:
    """The curve with these directions at its ends that misses the points least."""
    weight_P4 = _weights(u_P)
    first_2, last_2 = xy_P2[0], xy_P2[-1]
    left_P2 = weight_P4[:, 1:2] * out_2
    right_P2 = weight_P4[:, 2:3] * in_2
    ends_P2 = weight_P4[:, :2].sum(1)[:, None] * first_2 + weight_P4[:, 2:].sum(1)[:, None] * last_2
    rest_P2 = xy_P2 - ends_P2
    ll, rr, lr = (left_P2**2).sum(), (right_P2**2).sum(), (left_P2 * right_P2).sum()
    lt, rt = (left_P2 * rest_P2).sum(), (right_P2 * rest_P2).sum()
    area = ll * rr - lr * lr
    chord = float(np.hypot(*(last_2 - first_2)))
    third = chord / 3 if chord > 0 else length / 3
    if area > 1e-9:
        out, back = (rr * lt - lr * rt) / area, (ll * rt - lr * lt) / area
    else:
        out = back = third
    # Handles that point backwards, or are longer than the way, make loops.
    if not (1e-3 * length < out < length and 1e-3 * length < back < length):
        out = back = third
    return np.stack([first_2, first_2 + out * out_2, last_2 + back * in_2, last_2])


def _weights(u_P: np.ndarray) -> np.ndarray:
    v_P = 1 - u_P
    return np.stack([v_P**3, 3 * u_P * v_P**2, 3 * u_P**2 * v_P, u_P**3], 1)

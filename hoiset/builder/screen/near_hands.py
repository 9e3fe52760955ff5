"""What the pixels in and around detected hands say: whether something moves beside them, whether they look like skin.

What a hand handles changes the picture around it. So does the arm that it hangs on; the hand and a strip from its wrist
on, as wide as the hand, are therefore left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset.builder.screen.hands import HandView

_WRIST, _KNUCKLE, _LITTLE, _INDEX = 0, 9, 17, 5
_SCALE = 0.25  # of the frames' size
_MARGIN = 0.2  # around the joints, of the hand's size: flesh
_REACH = 0.8  # beyond the joints' box, of the hand's size
_CHANGED = 14.0  # grey levels
_PAIRS = 24
_SKIN_FRAMES = 6
_CR, _CB = (133.0, 180.0), (77.0, 135.0)  # of skin of any tone under most lights (Chai and Ngan, 1999, a little wider)


def measure_near_hands(
    rgb: Sequence[UInt8[np.ndarray, "H W 3"]], view: HandView, first: int, last: int
) -> dict[str, float]:
    """Measure samples ``first`` to ``last`` (inclusive) of a span.

    Returns:
        ``object_motion``: share of the surroundings of hands that changes between samples, 90th percentile over time.
        ``hand_skin``: share of the hands' pixels that are coloured like skin, median. NaN where no hand is seen (twice
        running, for the first).
    """
    seen = np.flatnonzero(view.seen)
    seen = seen[(seen >= first) & (seen <= last)]
    pairs = [(a, b) for a, b in zip(seen[:-1].tolist(), seen[1:].tolist(), strict=True) if b == a + 1]
    pairs = [pairs[i] for i in np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), _PAIRS)).astype(int))]
    changes = [_change(rgb[a], rgb[b], [*_joints(view, a), *_joints(view, b)]) for a, b in pairs]
    few = seen[np.unique(np.linspace(0, len(seen) - 1, min(len(seen), _SKIN_FRAMES)).astype(int))].tolist()
    skin = [_skin(rgb[i], _joints(view, i)) for i in few]
    return {
        "object_motion": float(np.percentile(changes, 90)) if changes else np.nan,
        "hand_skin": float(np.median(skin)) if skin else np.nan,
    }


def _joints(view: HandView, i: int) -> list[Float[np.ndarray, "21 2"]]:
    return list(view.joints[i][view.present[i]] * _SCALE)


def _change(
    before: UInt8[np.ndarray, "H W 3"], after: UInt8[np.ndarray, "H W 3"], hands: list[Float[np.ndarray, "21 2"]]
) -> float:
    a, b = (cv2.resize(image, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_AREA) for image in (before, after))
    changed = cv2.absdiff(a, b).max(axis=-1) > _CHANGED
    around, inside = np.zeros(changed.shape, np.uint8), np.zeros(changed.shape, np.uint8)
    for joints in hands:
        size = _size(joints)
        low, high = joints.min(axis=0) - _REACH * size, joints.max(axis=0) + _REACH * size
        cv2.rectangle(around, _point(low), _point(high), 1, -1)
        _draw_hand(inside, joints, size)
        _draw_arm(inside, joints, size)
    ring = (around > 0) & (inside == 0)
    return float(changed[ring].mean()) if ring.any() else 0.0


def _size(joints: Float[np.ndarray, "21 2"]) -> float:
    return float(np.linalg.norm(np.ptp(joints, axis=0)))


def _point(xy: Float[np.ndarray, "2"]) -> tuple[int, int]:
    x, y = np.clip(np.round(xy), -30000, 30000).astype(int).tolist()
    return x, y


def _draw_hand(mask: UInt8[np.ndarray, "h w"], joints: Float[np.ndarray, "21 2"], size: float) -> None:
    hull = cv2.convexHull(np.clip(np.round(joints), -30000, 30000).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1)
    cv2.polylines(mask, [hull], True, 1, max(1, round(2 * _MARGIN * size)))


def _draw_arm(mask: UInt8[np.ndarray, "h w"], joints: Float[np.ndarray, "21 2"], size: float) -> None:
    away = joints[_WRIST] - joints[_KNUCKLE]
    length = float(np.linalg.norm(away))
    if length > 0:
        end = joints[_WRIST] + away / length * sum(mask.shape)
        width = 1.6 * max(float(np.linalg.norm(joints[_INDEX] - joints[_LITTLE])), 0.5 * size)
        cv2.line(mask, _point(joints[_WRIST]), _point(end), 1, max(1, round(width)))


def _skin(rgb: UInt8[np.ndarray, "H W 3"], hands: list[Float[np.ndarray, "21 2"]]) -> float:
    small = cv2.resize(rgb, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_AREA)
    mask = np.zeros(small.shape[:2], np.uint8)
    for joints in hands:
        cv2.fillConvexPoly(mask, cv2.convexHull(np.clip(np.round(joints), -30000, 30000).astype(np.int32)), 1)
    _, cr, cb = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb))
    like: Bool[np.ndarray, "h w"] = (cr > _CR[0]) & (cr < _CR[1]) & (cb > _CB[0]) & (cb < _CB[1])
    return float(like[mask > 0].mean()) if mask.any() else 0.0

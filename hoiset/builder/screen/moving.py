"""The part of a still camera's picture that moves: where to look closely for hands too small in the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

VIEW_PX = 320
"""Side of what :meth:`Square.view` shows."""

_SCALE = 0.25  # of the frames' size
_CHANGED = 14.0  # grey levels
_LEAST = 0.002  # of the picture
_TRIM = 2.0  # percent of the moving pixels that may lie outside, on each side
_ROOM = 1.2  # of their extent
_SIDES = 0.4, 1.0  # of the short side and of the long one


@dataclass(frozen=True)
class Square:
    """An upright square of a picture, which may reach beyond its border.

    Attributes:
        corner: (x, y) of the centre of its first pixel, px.
        side: px.
    """

    corner: Float[np.ndarray, "2"]
    side: float

    def view(self, rgb: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "S S 3"]:
        """What it shows, black beyond the border, ``VIEW_PX`` a side."""
        step = self.side / VIEW_PX
        to_picture = np.array([[step, 0.0, self.corner[0]], [0.0, step, self.corner[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(rgb, to_picture, (VIEW_PX, VIEW_PX), flags=flags), np.uint8)

    def to_picture(self, px: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
        """Pixels of the picture from those of :meth:`view`."""
        return np.asarray(px * (self.side / VIEW_PX) + self.corner)


def moving_square(rgb: Sequence[UInt8[np.ndarray, "H W 3"]], at: int) -> Square | None:
    """The square around what differs from the frames before and after; ``None`` where nothing does.

    Args:
        rgb: Frames of a camera that stands still.
        at: Which of them.
    """
    now = _small(rgb[at])
    changed = np.zeros(now.shape[:2], bool)
    for other in (at - 1, at + 1):
        if 0 <= other < len(rgb):
            changed |= cv2.absdiff(now, _small(rgb[other])).max(axis=-1) > _CHANGED
    opened = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    if opened.mean() < _LEAST:
        return None
    y, x = np.nonzero(opened)
    low, high = (np.array([np.percentile(x, p), np.percentile(y, p)]) / _SCALE for p in (_TRIM, 100.0 - _TRIM))
    height, width = rgb[at].shape[:2]
    side = float(np.clip(_ROOM * (high - low).max(), _SIDES[0] * min(height, width), _SIDES[1] * max(height, width)))
    return Square((low + high) / 2 - side / 2, side)


def _small(rgb: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.asarray(cv2.resize(rgb, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_AREA), np.uint8)

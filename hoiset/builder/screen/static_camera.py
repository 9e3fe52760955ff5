"""Whether the camera stands still: the background is registered to a reference frame, and its shift measured.

Corners (Shi and Tomasi, "Good features to track", 1994) are followed from a reference frame by pyramidal Lucas-Kanade
with a forward-backward check, and a similarity is fitted robustly (Fischler and Bolles, RANSAC, 1981). What moves by
itself, hands above all, disagrees with the rest and is left out; where the scene changes for good, a new reference is
chained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.screen.blocks import BlockPicture
from hoiset.builder.screen.params import ScreenParams

_CELLS = 8  # corners are taken evenly from a grid of cells
_PER_CELL = 6
_CORNER_LEVELS = (5e-4, 1e-4, 2e-5)  # least eigenvalue of a corner; lower for pictures with little texture
_ENOUGH_CORNERS = 40
_MIN_INLIERS = 8
_MIN_SPREAD = 3  # cells of a 4x4 grid: a logo or one moving thing fills fewer
_MIN_SUPPORT = 0.3
_TOLERANCE = 1.5 / 360
_LOSE = 0.4  # share of the corners still followed below which a new reference is taken
_REFERENCE_S = 1.0
_LK_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.03)


@dataclass(frozen=True)
class CameraTrack:
    """How the background moved over sampled frames.

    Attributes:
        shift: (T, 9, 2) displacement of a 3x3 grid over the image, corners included, from the first frame of its
            stretch, in fractions of min(H, W); NaN where the frame could not be registered.
        stretch: (T,) number of the stretch of frames that are registered to each other.
    """

    shift: Float[np.ndarray, "T 9 2"]
    stretch: Float[np.ndarray, "T"]

    def between(self, first: int, others: slice) -> Float[np.ndarray, "N"]:
        """Largest displacement of the grid between one sample and others; NaN unregistered, inf in another stretch."""
        moved = np.linalg.norm(self.shift[others] - self.shift[first], axis=-1).max(axis=-1)
        return np.where(self.stretch[others] == self.stretch[first], moved, np.inf)


@dataclass(frozen=True)
class StaticSpan:
    """Samples ``first`` to ``last`` (inclusive), over which the camera stands still; ``shift`` is the most it moved."""

    first: int
    last: int
    shift: float


def track_camera(
    rgb: Sequence[UInt8[np.ndarray, "H W 3"]], time: Float[np.ndarray, "T"], params: ScreenParams
) -> CameraTrack:
    """Register sampled frames of one shot to each other.

    Args:
        rgb: T frames of one size.
        time: (T,) their times, s.
        params: Thresholds.
    """
    shift = np.full((len(rgb), 9, 2), np.nan)
    stretch = np.zeros(len(rgb))
    main: _Reference | None = None
    spare: _Reference | None = None  # taken when the main one is lost; becomes the main one if it lasts
    for i, frame in enumerate(rgb):
        gray = _even_light(frame)
        if main is None:
            main = _Reference(gray, i, time[i])
        motion = main.register(gray)
        if motion is not None:
            spare = None
            shift[i] = _grid_shift(motion, gray.shape)
            if main.followed < _LOSE and time[i] - main.time_s >= _REFERENCE_S:
                main = _Reference(gray, main.origin, time[i], motion)
            continue
        found = spare.register(gray) if spare is not None else None
        if spare is None or found is None:
            spare, found = _Reference(gray, i, time[i]), np.eye(3)
        spare.shifts[i] = _grid_shift(found, gray.shape)
        if time[i] - spare.time_s >= params.max_unregistered_s:
            stretch[spare.origin :] = spare.origin
            for k, moved in spare.shifts.items():
                shift[k] = moved
            main, spare = spare, None
    return CameraTrack(_without_loners(shift, stretch, params.max_camera_shift), stretch)


def _without_loners(
    shift: Float[np.ndarray, "T 9 2"], stretch: Float[np.ndarray, "T"], tolerance: float
) -> Float[np.ndarray, "T 9 2"]:
    """Drop single samples that jump away while those around them agree: something large passed the camera."""
    out = shift.copy()
    for i in range(1, len(shift) - 1):
        if stretch[i - 1] != stretch[i + 1]:
            continue
        around = np.linalg.norm(shift[i + 1] - shift[i - 1], axis=-1).max()
        away = np.linalg.norm(shift[i] - shift[i - 1], axis=-1).max()
        if around < tolerance < away:
            out[i] = np.nan
    return out


def static_spans(track: CameraTrack, time: Float[np.ndarray, "T"], params: ScreenParams) -> list[StaticSpan]:
    """Maximal spans over which the background stays within ``max_camera_shift`` of where it was at the span's start.

    The longest is taken first, then the longest of what is left on either side, down to ``min_clip_s``; in time order.
    """
    last = np.array([_still_until(track, time, i, params) for i in range(len(time))])
    known = np.maximum.accumulate(np.where(np.isnan(track.shift[:, 0, 0]), 0, np.arange(len(time))))
    spans, todo = [], [(0, len(time) - 1)]
    while todo:
        low, high = todo.pop()
        if high <= low:
            continue
        until = known[np.minimum(last[low : high + 1], high)]  # it may be clipped where the background was hidden
        length_s = time[until] - time[low : high + 1]
        first = low + int(np.argmax(length_s))
        if length_s[first - low] < params.min_clip_s - 2 / params.sample_fps:
            continue
        end = int(until[first - low])
        spans.append(StaticSpan(first, end, float(np.nanmax(track.between(first, slice(first, end + 1))))))
        todo += [(low, first - 1), (end + 1, high)]
    return sorted(spans, key=lambda span: span.first)


def least_shift(track: CameraTrack, time: Float[np.ndarray, "T"], params: ScreenParams) -> float:
    """The stillest that the camera is for ``min_clip_s`` anywhere: the shift over that time, or over all if it is less.

    Where the background is lost before that time is over everywhere, the most that was seen of its motion while it
    could be followed, if that is more than is allowed; NaN where motion was neither seen nor ruled out.
    """
    least, seen = np.inf, 0.0
    for i in np.flatnonzero(~np.isnan(track.shift[:, 0, 0])).tolist():
        until = min(int(np.searchsorted(time, time[i] + params.min_clip_s - 1e-6)), len(time) - 1)
        moved = track.between(i, slice(i, until + 1))
        whole = i == 0 or time[until] - time[i] >= params.min_clip_s - 1e-6
        registered = np.flatnonzero(np.isfinite(moved))
        if whole and _before_gap(registered, time[i:], params.max_unregistered_s) == until - i:
            least = min(least, float(np.nanmax(moved)))
        seen = max(seen, float(moved[np.isfinite(moved)].max()))
    if np.isfinite(least):
        return least
    return seen if seen > params.max_camera_shift else np.nan


def _still_until(track: CameraTrack, time: Float[np.ndarray, "T"], first: int, params: ScreenParams) -> int:
    """The last sample up to which the background stays where it is at ``first``."""
    if np.isnan(track.shift[first, 0, 0]):
        return first
    moved = track.between(first, slice(first, None))
    leaves = np.flatnonzero(moved > params.max_camera_shift)
    known = np.flatnonzero(~np.isnan(moved[: leaves[0] if len(leaves) else None]))
    return first + _before_gap(known, time[first:], params.max_unregistered_s)


def _before_gap(known: np.ndarray, time: Float[np.ndarray, "T"], max_gap_s: float) -> int:
    """The last of the known samples that is reached without a gap longer than allowed."""
    gaps = np.flatnonzero(np.diff(time[known]) > max_gap_s + 1e-6)
    return int(known[gaps[0]] if len(gaps) else known[-1])


class _Reference:
    """One frame, to which others are registered."""

    def __init__(
        self,
        gray: Float[np.ndarray, "H W"],
        origin: int,
        time_s: float,
        motion: Float[np.ndarray, "3 3"] | None = None,
    ) -> None:
        self.origin = origin  # first sample of its stretch, which motions are relative to
        self.time_s = time_s
        self.followed = 1.0
        self.shifts: dict[int, np.ndarray] = {}
        self._gray = gray
        self._motion = np.eye(3) if motion is None else motion
        self._blocks = BlockPicture(gray)
        self._last = np.eye(3)[:2]

    def register(self, gray: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "3 3"] | None:
        """Similarity from the stretch's first frame to this one, px, or ``None`` when too little agrees."""
        step = self._near(gray)
        if step is None:
            step = self._far(gray)
        if step is None:
            return None
        self._last = step
        return np.asarray(np.vstack([step, [0.0, 0.0, 1.0]]) @ self._motion)

    def _near(self, gray: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "2 3"] | None:
        """A motion close to the last one, or as it was, that the blocks hold to be true."""
        for step in (self._blocks.align(gray, self._last), self._last):
            evidence = self._blocks.compare(gray, step)
            if evidence.holds:
                self.followed = evidence.share
                return step
        return None

    def _far(self, gray: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "2 3"] | None:
        """The motion of most corners, however far, unless the blocks know better."""
        found = self._corner_motion(_to_bytes(gray))
        if found is None:
            return None
        step, followed = found
        refined = self._blocks.align(gray, step)
        evidence = self._blocks.compare(gray, refined)
        if evidence.holds:
            self.followed = evidence.share
            return refined
        evidence, before = self._blocks.compare(gray, step), self._blocks.compare(gray, self._last)
        if evidence.refuted or evidence.kept.sum() < before.kept.sum():
            return None  # a hand or a thing that has more corners than the table it moves over
        self.followed = followed
        return step

    def _corner_motion(self, gray: UInt8[np.ndarray, "H W"]) -> tuple[Float[np.ndarray, "2 3"], float] | None:
        """A similarity that enough corners agree on, and the share of all corners that do."""
        corners = self._corners
        if len(corners) < _MIN_INLIERS:
            return None
        here, there = _follow(_to_bytes(self._gray), gray, corners)
        if len(here) < _MIN_INLIERS:
            return None
        cv2.setRNGSeed(0)
        _, found = cv2.estimateAffinePartial2D(
            here, there, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE * min(gray.shape), maxIters=500
        )
        agree = np.zeros(len(here), bool) if found is None else found[:, 0] > 0
        if agree.sum() < _MIN_INLIERS or agree.mean() < _MIN_SUPPORT or _spread(here[agree], gray) < _MIN_SPREAD:
            return None
        step, _ = cv2.estimateAffinePartial2D(here[agree], there[agree], method=cv2.LMEDS)
        return None if step is None else (np.asarray(step, np.float64), float(agree.sum() / len(corners)))

    @cached_property
    def _corners(self) -> Float[np.ndarray, "N 2"]:
        return _find_corners(_to_bytes(self._gray))


def _even_light(rgb: UInt8[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W"]:
    """Grey picture without slow changes of light over image or time, lest exposure and shadows look like motion."""
    gray = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (0, 0), 1.0).astype(np.float32)
    small = cv2.resize(gray, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    light = cv2.resize(cv2.GaussianBlur(small, (0, 0), 3.0), gray.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.minimum(128.0 * gray / (light + 8.0), 255.0)


def _to_bytes(gray: Float[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W"]:
    return gray.astype(np.uint8)


def _find_corners(gray: UInt8[np.ndarray, "H W"]) -> Float[np.ndarray, "N 2"]:
    """Corners with a strength above noise, the strongest few of each grid cell."""
    strength = cv2.cornerMinEigenVal(gray, 5, ksize=3)
    peak = strength >= cv2.dilate(strength, np.ones((7, 7)))
    peak[:4] = peak[-4:] = peak[:, :4] = peak[:, -4:] = False
    height, width = gray.shape
    corners = np.zeros((0, 2), np.float32)
    for level in _CORNER_LEVELS:
        y, x = np.nonzero(peak & (strength > level))
        cell = (y * _CELLS // height) * _CELLS + x * _CELLS // width
        order = np.lexsort((-strength[y, x], cell))
        rank = np.arange(len(order)) - np.searchsorted(cell[order], cell[order])
        chosen = order[rank < _PER_CELL]
        corners = np.stack([x[chosen], y[chosen]], axis=1).astype(np.float32)
        if len(corners) >= _ENOUGH_CORNERS:
            break
    return corners


def _follow(
    a: UInt8[np.ndarray, "H W"], b: UInt8[np.ndarray, "H W"], corners: Float[np.ndarray, "N 2"]
) -> tuple[Float[np.ndarray, "M 2"], Float[np.ndarray, "M 2"]]:
    """Corners of ``a`` and where they are in ``b``, those that are found back."""
    there, found, _ = _flow(a, b, corners)
    corners, there = corners[found[:, 0] > 0], there[found[:, 0] > 0]
    if len(there) == 0:
        return corners, there
    back, found, _ = _flow(b, a, there)
    good = (found[:, 0] > 0) & (np.linalg.norm(back - corners, axis=1) < 1.0)
    return corners[good], there[good]


def _flow(a: np.ndarray, b: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    guess = np.empty(0, np.float32)  # not used: positions are not given
    return cv2.calcOpticalFlowPyrLK(a, b, points, guess, winSize=(21, 21), maxLevel=3, criteria=_LK_CRITERIA)


def _spread(points: Float[np.ndarray, "N 2"], gray: UInt8[np.ndarray, "H W"]) -> int:
    height, width = gray.shape
    cells = (points * (4.0 / width, 4.0 / height)).astype(int)
    return len(np.unique(cells[:, 0] * 4 + cells[:, 1]))


def _grid_shift(motion: Float[np.ndarray, "3 3"], shape: tuple[int, ...]) -> Float[np.ndarray, "9 2"]:
    height, width = shape[:2]
    x, y = np.meshgrid(np.linspace(0, width - 1, 3), np.linspace(0, height - 1, 3))
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    return (grid @ motion[:2, :2].T + motion[:2, 2] - grid) / min(height, width)

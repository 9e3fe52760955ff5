"""How good the pictures of a span are, and whether they are one camera's: blur, black, stillness, seams, text.

All of it is measured on a few of the frames that were sampled anyway, of a span in which the camera stands still. What
is edited into a picture is bounded by straight seams of one pixel, as a table's edge may be; but whatever moves before
a table crosses its edge, and nothing ever crosses a seam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

_FRAMES = 10  # looked at per span for what lasts
_BLUR_FRAMES = 4
_BLACK_LEVEL = 32.0  # that hardly anything of a black frame exceeds
_CELLS = (32, 18)
_BLUR_TAPS = 9
_SEAM_STEP = 5.0  # grey levels
_SEAM_RATIO = 2.0  # of a seam's step to those beside it
_SPLIT_FROM, _SPLIT_TO = 0.2, 0.8
_ALIKE, _TILE_COLUMNS = 0.8, 16  # so many columns that seams cover nearly as much as the best
_EMPTY_STD = 4.0  # grey levels; a bar beside the picture is as even as this
_ACTIVE = 5.0  # standard deviation over time of a place where something happens, grey levels
_ONE_SIDED, _TWO_SIDED = 0.4, 0.6  # ratio of the quieter side's activity to the other's
_QUIET = 0.05  # share of a seam by which something must happen to say anything
_INSET_SIDES = (0.12, 0.75)
_INSET_LINES = 10
_INSET_CHECKED = 12
_INSET_COVERED = 0.5
_TEXT_GRADIENT = 60.0
_TEXT_HEIGHT = (0.03, 0.3)
_TEXT_FILL = 0.45

_Map = Float[np.ndarray, "H W"]


def measure_quality(rgb: Sequence[UInt8[np.ndarray, "H W 3"]]) -> dict[str, float]:
    """What the picture gates look at, over the sampled frames of a span.

    Returns:
        ``blur``: 0 (crisp) to 1 (Crete et al., "The blur effect", 2007), median; NaN where a picture shows nothing.
        ``black``: share of the frames that are black. ``change``: largest change of any of 32x18 cells between samples,
        90th percentile over time, 0..1. ``split``: share of the height or width that a seam covers which divides the
        picture in two, times the share of what happens beside it that stays on one side. ``inset``: the same for the
        least covered side of a rectangle in the picture. ``text``: share of the picture under lines of text.
    """
    few = [rgb[i] for i in _spread(len(rgb), _FRAMES)]
    mean, activity = _moments(few)
    upright = _Seams.of(mean, activity)
    level = _Seams.of(mean.transpose(1, 0, 2), activity.T)
    blurs = [_blur(cv2.cvtColor(few[i], cv2.COLOR_RGB2GRAY)) for i in _spread(len(few), _BLUR_FRAMES)]
    return {
        "blur": float(np.median(blurs)),
        "black": measure_black(few),
        "change": _change(rgb),
        "split": max(_split(upright, mean), _split(level, mean.transpose(1, 0, 2))),
        "inset": _inset(upright, level),
        "text": _text(mean),
    }


def measure_black(rgb: Sequence[UInt8[np.ndarray, "H W 3"]]) -> float:
    """Share of the frames that are black."""
    return float(np.mean([np.percentile(image[::4, ::4], 98) < _BLACK_LEVEL for image in rgb]))


def _moments(rgb: Sequence[UInt8[np.ndarray, "H W 3"]]) -> tuple[Float[np.ndarray, "H W 3"], _Map]:
    """Mean over time, and standard deviation over time, of the mean channel, grey levels."""
    total, squares = np.zeros(rgb[0].shape, np.float32), np.zeros(rgb[0].shape, np.float32)
    for image in rgb:
        cv2.accumulate(image, total)
        cv2.accumulateSquare(image, squares)
    mean = total / len(rgb)
    return mean, cv2.transform(np.sqrt(np.maximum(squares / len(rgb) - mean * mean, 0.0)), np.full((1, 3), 1 / 3))


def _spread(n: int, k: int) -> list[int]:
    return np.unique(np.linspace(0, n - 1, min(n, k)).round().astype(int)).tolist()


def _blur(gray: UInt8[np.ndarray, "H W"]) -> float:
    """How little a blur takes from the steps between neighbours, along the worse of the two directions."""
    picture = gray.astype(np.float32)
    found = []
    for axis, size in ((1, (_BLUR_TAPS, 1)), (0, (1, _BLUR_TAPS))):
        step = np.abs(np.diff(picture, axis=axis))
        blurred = np.abs(np.diff(cv2.blur(picture, size), axis=axis))
        total = float(step.sum())
        found.append(1.0 - float(np.maximum(step - blurred, 0).sum()) / total if total > 0 else np.nan)
    return max(found)


def _change(rgb: Sequence[UInt8[np.ndarray, "H W 3"]]) -> float:
    small = [cv2.resize(image, _CELLS, interpolation=cv2.INTER_AREA).astype(np.float32) for image in rgb]
    steps = [float(np.abs(b - a).mean(axis=-1).max()) for a, b in pairwise(small)]
    return float(np.percentile(steps, 90)) / 255.0 if steps else np.nan


@dataclass(frozen=True)
class _Seams:
    """Upright seams of a picture, and what happens beside them; the integrals run along the seams.

    Attributes:
        covered: (H + 1, W) number of rows above in which a seam of one pixel runs by a column.
        one: (H + 1, W) number of rows above in which something happens to one side of a column alone.
        two: (H + 1, W) number of rows above in which it happens on either side.
    """

    covered: _Map
    one: _Map
    two: _Map

    @classmethod
    def of(cls, picture: Float[np.ndarray, "H W 3"], activity: _Map) -> _Seams:
        step = np.zeros(picture.shape[:2], np.float32)
        red, green, blue = np.moveaxis(np.abs(np.diff(picture, axis=1)), -1, 0)
        step[:, :-1] = np.maximum(np.maximum(red, green), blue)
        beside = np.maximum(np.roll(step, 3, axis=1), np.roll(step, -3, axis=1))
        seam = (step > _SEAM_STEP) & (step > _SEAM_RATIO * beside)
        seam[:, 1:] |= seam[:, :-1]  # it may fall within a pixel
        near = cv2.blur(np.ascontiguousarray(activity), (3, 1))
        left, right = np.roll(near, 3, axis=1), np.roll(near, -4, axis=1)
        more, less = np.maximum(left, right), np.minimum(left, right)
        one, two = (more > _ACTIVE) & (less < _ONE_SIDED * more), (more > _ACTIVE) & (less > _TWO_SIDED * more)
        return cls(*(_integral(flags) for flags in (seam, one, two)))

    def along(self, x: int, y1: int, y2: int) -> tuple[float, float, float]:
        """Of a part of a column: share covered by a seam, with something on one side of it, and with it on both."""
        return tuple(float(m[y2, x] - m[y1, x]) / (y2 - y1) for m in (self.covered, self.one, self.two))  # type: ignore[return-value]


def _integral(flags: Bool[np.ndarray, "H W"]) -> _Map:
    return np.vstack([np.zeros(flags.shape[1], np.float32), np.cumsum(flags, axis=0, dtype=np.float32)])


def _apart(one: float, two: float) -> float:
    """Share of what happens that stays on its side; small where hardly anything happens."""
    return one / (one + two + _QUIET)


def _split(seams: _Seams, picture: Float[np.ndarray, "H W 3"]) -> float:
    """How surely a column of seams divides two pictures, neither of them an empty bar."""
    height, width = picture.shape[:2]
    low, high = round(_SPLIT_FROM * width), round(_SPLIT_TO * width)
    x = low + int(np.argmax(seams.covered[-1, low:high]))
    if not (_shows(picture[:, : x - 1]) and _shows(picture[:, x + 3 :])):
        return 0.0
    covered, one, two = seams.along(x, 0, height)
    return 0.0 if _tiled(seams) else covered * _apart(one, two)


def _tiled(seams: _Seams) -> bool:
    """Whether seams are everywhere: tiles, or the grid of a mat."""
    return int((seams.covered[-1] > _ALIKE * seams.covered[-1].max()).sum()) > _TILE_COLUMNS


def _shows(picture: Float[np.ndarray, "h w 3"]) -> bool:
    return float(picture[::4, ::4].mean(axis=-1).std()) > _EMPTY_STD


def _inset(upright: _Seams, level: _Seams) -> float:
    """How surely some rectangle is another picture; sides on the border count as covered."""
    if _tiled(upright) or _tiled(level):
        return 0.0
    height, width = (m.covered.shape[1] for m in (level, upright))
    xs, ys = _lines(upright.covered[-1] / height, width), _lines(level.covered[-1] / width, height)
    found = []
    for (x1, x2), (y1, y2) in ((a, b) for a in combinations(xs, 2) for b in combinations(ys, 2)):
        shares = ((x2 - x1) / width, (y2 - y1) / height)
        if min(shares) < _INSET_SIDES[0] or max(shares) > _INSET_SIDES[1]:
            continue
        sides = [upright.along(x, y1, y2) for x in (x1, x2) if 0 < x < width]
        sides += [level.along(y, x1, x2) for y in (y1, y2) if 0 < y < height]
        found.append((min(covered for covered, *_ in sides), np.mean(sides, axis=0)))
    best = sorted((f for f in found if f[0] > _INSET_COVERED), key=lambda f: -f[0])[:_INSET_CHECKED]
    return max((covered * _apart(float(one), float(two)) for covered, (_, one, two) in best), default=0.0)


def _lines(covered: Float[np.ndarray, "N"], n: int) -> list[int]:
    """Places that may be a rectangle's sides: the borders, and the lines that seams cover most."""
    best = 4 + np.argsort(-covered[4 : n - 4], kind="stable")[:_INSET_LINES]
    return sorted({0, n, *(int(x) for x in best if covered[x] >= _INSET_SIDES[0] / 2)})


def _text(picture: Float[np.ndarray, "H W 3"]) -> float:
    """Share of the picture under boxes that look like lines of text: dense strong strokes in a row."""
    gray = cv2.transform(picture, np.full((1, 3), 1 / 3))
    height, width = gray.shape
    strokes = cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > _TEXT_GRADIENT
    reach = max(3, round(0.035 * min(height, width)))
    joined = cv2.morphologyEx(strokes.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((1, reach), np.uint8))
    joined = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((3, reach // 2), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    area = 0.0
    for _, _, w, h, pixels in stats[1:]:
        if _TEXT_HEIGHT[0] * height <= h <= _TEXT_HEIGHT[1] * height and w >= 2.5 * h and pixels >= _TEXT_FILL * w * h:
            area += float(w * h)
    return area / (height * width)

"""Whether a picture is where it was: its blocks are asked, each about what it can tell.

What is left of a block after a motion is undone is held against what a small shift would have changed, so that faint
blocks count for what they show. The hypothesis is accepted when, along every direction, more blocks find it better
than a shift to either side: along a wood grain that is decided by many faint blocks, across it by strong ones. Noise
raises all hypotheses alike and takes no side. Motion within reach is measured by direct alignment (Lucas and Kanade,
1981; Bergen et al., "Hierarchical model-based motion estimation", 1992) over the blocks that are not covered.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

_BLOCK = 1 / 18  # side of a block
_PROBE = 0.005  # shift whose effect on a block tells how much it shows
_RIVAL = 0.01  # shift that the motion has to beat, to either side
_DIRECTIONS = np.deg2rad([0.0, 45.0, 90.0, 135.0])
_QUIET = 0.2  # quantile of what is left that is taken for noise: the quietest blocks see neither motion nor hands
_LEAST_NOISE = 0.02  # grey levels squared; rounding
_SIGNAL_RATIO = 4.0  # effect of the probe over noise above which a block shows anything
_LEFT_RATIO = 0.35  # an unrelated picture leaves half of the probe's effect or more
_MIN_BLOCKS = 12
_MIN_SPREAD = 3  # cells of a 4x4 grid: a logo or one thing fills fewer
_MIN_SHARE = 0.25  # of the blocks that show anything: the rest may be covered
_MIN_VOTES = 0.6
_CHANCE = 1 / 3  # that the middle of three is the best
_STEPS = 6
_SETTLED = 1e-4


@dataclass(frozen=True)
class Evidence:
    """What the blocks say about a motion.

    Attributes:
        legible: (by, bx) blocks that would show a shift.
        kept: (by, bx) those that the motion explains.
        votes: (4,) share of the kept blocks that prefer the motion to a shift to either side, along each direction.
    """

    legible: Bool[np.ndarray, "by bx"]
    kept: Bool[np.ndarray, "by bx"]
    votes: Float[np.ndarray, "4"]

    @property
    def share(self) -> float:
        """Share of the legible blocks that the motion explains."""
        return float(self.kept.sum() / max(1, self.legible.sum()))

    @property
    def holds(self) -> bool:
        """Whether the motion is what the picture made."""
        return self._enough and self.share >= _MIN_SHARE and bool((self.votes >= _MIN_VOTES).all())

    @property
    def refuted(self) -> bool:
        """Whether the blocks that could have been explained prefer another motion."""
        return self._enough and bool((self.votes < _CHANCE).any())

    @property
    def _enough(self) -> bool:
        y, x = np.nonzero(self.kept)
        rows, columns = self.kept.shape
        spread = len(np.unique(y * 4 // rows * 4 + x * 4 // columns))
        return len(y) >= _MIN_BLOCKS and spread >= _MIN_SPREAD


class BlockPicture:
    """A picture in blocks, to which others are compared.

    Args:
        gray: (H, W) float32, light evened out.
    """

    def __init__(self, gray: Float[np.ndarray, "H W"]) -> None:
        self._gray = gray
        self._short = min(gray.shape)
        self._side = max(4, round(_BLOCK * self._short))
        self._dx = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
        self._dy = cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
        self._tensor = [
            self._mean(a * b) for a, b in ((self._dx, self._dx), (self._dx, self._dy), (self._dy, self._dy))
        ]
        rows, columns = self._tensor[0].shape
        x, y = np.meshgrid((np.arange(columns) + 0.5) * self._side - 0.5, (np.arange(rows) + 0.5) * self._side - 0.5)
        self._centres = np.stack([x, y], axis=-1)  # (by, bx, 2) px
        still = np.eye(3)[:2]
        sides = [[self._left(gray, _shifted(still, s * _PROBE * self._short * u)) for s in (1, -1)] for u in _units()]
        self._effects = np.min(sides, axis=1)  # (4, by, bx) along each direction
        self._effect = self._effects.max(axis=0)  # along that which shows most

    def compare(self, gray: Float[np.ndarray, "H W"], motion: Float[np.ndarray, "2 3"]) -> Evidence:
        """What the blocks say about ``motion``, which maps this picture's px to those of ``gray``."""
        left = self._left(gray, motion)
        legible, kept = self._judge(left, motion)
        votes = np.zeros(len(_DIRECTIONS))
        if kept.sum() >= _MIN_BLOCKS:
            # where little is left beside what a shift this way would change, nobody needs to be asked
            votes = (left[kept] < _LEFT_RATIO * self._effects[:, kept]).mean(axis=1)
            for k in np.flatnonzero(votes < _MIN_VOTES):
                votes[k] = self._vote(gray, motion, left, kept, _units()[k])
        return Evidence(legible, kept, votes)

    def _vote(
        self,
        gray: Float[np.ndarray, "H W"],
        motion: Float[np.ndarray, "2 3"],
        left: Float[np.ndarray, "by bx"],
        kept: Bool[np.ndarray, "by bx"],
        unit: Float[np.ndarray, "2"],
    ) -> float:
        """Share of the kept blocks in which less is left than after a shift to either side."""
        there, back = (self._left(gray, _shifted(motion, s * _RIVAL * self._short * unit))[kept] for s in (1, -1))
        return float(((left[kept] < there) & (left[kept] < back)).mean())

    def align(self, gray: Float[np.ndarray, "H W"], motion: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "2 3"]:
        """The similarity near ``motion`` that leaves least of the change in the blocks that are not covered."""
        for _ in range(_STEPS):
            change = self._change(gray, motion)
            left = self._variance(change)
            _, kept = self._judge(left, motion)
            if kept.sum() < _MIN_BLOCKS:
                break
            update, moved = self._step(change, kept, left)
            if moved < _SETTLED:  # a camera that did not move at all keeps its motion to the last digit
                break
            motion = motion @ np.vstack([update, [0, 0, 1]])
        return motion

    def _judge(
        self, left: Float[np.ndarray, "by bx"], motion: Float[np.ndarray, "2 3"]
    ) -> tuple[Bool[np.ndarray, "by bx"], Bool[np.ndarray, "by bx"]]:
        """Blocks that would show a shift, and those of them in which little is left."""
        there = self._centres @ motion[:, :2].T + motion[:, 2]
        half = self._side / 2
        inside = ((there > half - 1) & (there < np.array(self._gray.shape[::-1]) - half)).all(axis=-1)
        noise = max(_LEAST_NOISE, float(np.quantile(left[inside], _QUIET))) if inside.any() else np.inf
        legible = inside & (self._effect > _SIGNAL_RATIO * noise)
        return legible, legible & (left < _LEFT_RATIO * self._effect)

    def _left(self, gray: Float[np.ndarray, "H W"], motion: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "by bx"]:
        return self._variance(self._change(gray, motion))

    def _change(self, gray: Float[np.ndarray, "H W"], motion: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "H W"]:
        """What remains of the change to ``gray`` when the motion is undone."""
        if np.array_equal(motion, np.eye(3)[:2]):
            return gray - self._gray
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(gray, motion, gray.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE) - self._gray

    def _mean(self, picture: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "by bx"]:
        height, width = (n // self._side for n in picture.shape)
        whole = picture[: height * self._side, : width * self._side]
        return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)

    def _variance(self, change: Float[np.ndarray, "H W"]) -> Float[np.ndarray, "by bx"]:
        """Change within each block beyond that of its mean, which light alters."""
        return np.maximum(self._mean(change * change) - self._mean(change) ** 2, 0.0)

    def _step(
        self, change: Float[np.ndarray, "H W"], blocks: Bool[np.ndarray, "by bx"], left: Float[np.ndarray, "by bx"]
    ) -> tuple[Float[np.ndarray, "2 3"], float]:
        """One Gauss-Newton step, each block taken to move as one, and the most that it moves, fraction of the side."""
        height, width = change.shape
        middle, scale = np.array([width - 1, height - 1]) / 2, self._short / 2
        weight = 1.0 / (_LEAST_NOISE + left[blocks].astype(np.float64)) ** 2
        jxx, jxy, jyy = (weight * t[blocks] for t in self._tensor)
        bx, by = (weight * self._mean(d * change)[blocks] for d in (self._dx, self._dy))
        u, v = ((self._centres[blocks] - middle) / scale).T
        one, zero = np.ones_like(u), np.zeros_like(u)
        # a block moves by (a + c u - d v, b + d u + c v)
        ax, ay = np.stack([one, zero, u, -v]), np.stack([zero, one, v, u])
        mixed = (ax * jxy) @ ay.T
        normal = (ax * jxx) @ ax.T + (ay * jyy) @ ay.T + mixed + mixed.T
        normal += 1e-3 * np.trace(normal) / 4 * np.eye(4)  # what the blocks say nothing about stays as it was
        a, b, c, d = np.linalg.solve(normal, -(ax @ bx + ay @ by))
        linear = np.array([[c, -d], [d, c]]) / scale
        update = np.hstack([np.eye(2) + linear, (np.array([a, b]) - linear @ middle)[:, None]])
        return update, float(np.hypot(a, b) + np.hypot(c, d) * np.hypot(width, height) / self._short) / self._short


def _units() -> Float[np.ndarray, "4 2"]:
    return np.stack([np.cos(_DIRECTIONS), np.sin(_DIRECTIONS)], axis=1)


def _shifted(motion: Float[np.ndarray, "2 3"], by_px: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2 3"]:
    return np.column_stack([motion[:, :2], motion[:, 2] + by_px])

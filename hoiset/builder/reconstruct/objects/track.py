"""Follow one silhouette through the frames by 2D similarities: optical flow first, colours second, the hand last."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.reconstruct.objects.anchors import FINGERS, Anchor
from hoiset.builder.reconstruct.objects.colours import colour_index, similarity
from hoiset.builder.reconstruct.objects.hand_regions import gap_to_mask
from hoiset.builder.reconstruct.objects.plane_maps import (
    apply,
    compose,
    flow_points,
    overlap,
    same_way,
    scale_of,
    warp_mask,
)
from hoiset.builder.reconstruct.objects.scene import Scene

_MIN_INLIERS = 8
_MAX_POINTS = 160
_PALM = (0, 1, 5, 9, 13, 17)
_RECENT_S = 0.1
"""Motion over so long tells whether an object goes with a hand."""
_LOOK_S = 0.7
"""Frames so far ahead tell whether it was let go."""


class Cue(IntEnum):
    """What a frame's silhouette position rests on."""

    LOST = 0
    FLOW = 1
    COLOUR = 2
    HAND = 3
    STANDING = 4


@dataclass(frozen=True)
class Track:
    """A silhouette's way through consecutive frames.

    Attributes:
        frames: (n,) frame indices, in the order in which they were followed.
        affine: (n, 2, 3) similarity that maps template pixels to frame pixels.
        cue: (n,) uint8, :class:`Cue`.
        quality: (n,) share of the visible silhouette that is foreground in the object's colours; NaN where hidden.
        matches: Per frame, (m, 4) float32 rows of template x, y and frame x, y of the points that flow carried.
    """

    frames: np.ndarray
    affine: Float[np.ndarray, "n 2 3"]
    cue: UInt8[np.ndarray, "n"]
    quality: Float[np.ndarray, "n"]
    matches: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class _Window:
    """A crop of one frame around a followed silhouette, in which all of a step's work is done.

    Attributes:
        left, top: Of the crop, px.
        hand: (h, w) uint8 hand mask.
        likely: (h, w) float32 0..1: foreground in the object's colours; 0 under hands.
    """

    left: int
    top: int
    hand: UInt8[np.ndarray, "h w"]
    likely: Float[np.ndarray, "h w"]

    def local(self, affine: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "2 3"]:
        """An affine map into the crop instead of the frame."""
        return compose(np.array([[1.0, 0.0, -self.left], [0.0, 1.0, -self.top]]), affine)


class Follower:
    """State of following one anchor's silhouette from frame to frame.

    Attributes:
        held: Whether a hand still has what it took; ``None`` where nothing has called for an answer.
        ahead: Frames for which that may be asked anew.
    """

    def __init__(self, scene: Scene, anchor: Anchor, frames: np.ndarray) -> None:
        """Begin at the first of the frames to be followed, where the silhouette stands as in the anchor."""
        start = int(frames[0])
        self.scene, self.anchor = scene, anchor
        self.ahead = [int(t) for t in frames]
        self.held: bool | None = None
        total = anchor.histogram + 0.7 * scene.person + 1e-4
        self.likelihood = (anchor.histogram / total).astype(np.float32)
        self.affine = np.eye(2, 3)
        self.velocity = np.zeros(2)
        self.previous = start
        self.recent = max(2, round(_RECENT_S * scene.fps))
        self.look = round(_LOOK_S * scene.fps)
        self.template = np.zeros((0, 2), np.float32)
        self.points = np.zeros((0, 2), np.float32)
        y, x = np.nonzero(anchor.mask)
        self.centre = np.array([x.mean(), y.mean()])
        self.trail = [(start, self.centre)]
        self.box = np.array([[x.min(), y.min()], [x.max(), y.min()], [x.max(), y.max()], [x.min(), y.max()]], float)
        self.extent = float(max(np.ptp(x), np.ptp(y)))
        self.reach = max(4, round(0.05 * min(scene.shape)))
        self.rim = max(3, round(0.1 * self.extent))
        self.mask = anchor.mask.astype(np.uint8)
        self._refill(start, self._window(start, self.affine))

    def step(self, t: int) -> tuple[np.ndarray, Cue, float]:
        """Advance to frame t (a neighbour of the previous one): (affine, cue, quality)."""
        predicted = self.affine.copy()
        predicted[:, 2] += self.velocity
        window = self._window(t, predicted)
        flow = self._by_flow(t, window)
        if (
            flow is not None
            and self._quality(flow, window) >= self.scene.params.track_quality
            and self._looks(flow, t, window)
        ):
            cue, affine = Cue.FLOW, self._settle(flow, window)
        else:
            window, cue, affine = self._without_flow(t, predicted, window)
        was, now = (apply(a, self.centre[None])[0] for a in (self.affine, affine))
        self.velocity = 0.5 * (now - was)
        self.trail = [(s, at) for s, at in self.trail if abs(t - s) <= self.recent] + [(t, now)]
        self.affine, self.previous = affine, t
        if cue != Cue.FLOW:
            # Template coordinates of the points no longer agree with the silhouette's place.
            self.template, self.points = self.template[:0], self.points[:0]
        self._refill(t, window)
        return affine, cue, self._quality(affine, window)

    def _window(self, t: int, affine: np.ndarray, reach: int | None = None) -> _Window:
        corners = np.concatenate([apply(affine, self.box), apply(self.affine, self.box)])
        pad = (reach or self.reach) + self.rim + 12
        height, width = self.scene.shape
        left, top = np.clip(np.floor(corners.min(0)).astype(int) - pad, 0, [width - 16, height - 16])
        right, bottom = np.clip(np.ceil(corners.max(0)).astype(int) + pad, [left + 16, top + 16], [width, height])
        crop = np.s_[top:bottom, left:right]
        hand = self.scene.hand_masks[t][crop]
        if self.anchor.seen is not None:
            seen = self.anchor.seen[t][crop]
            return _Window(int(left), int(top), np.where(seen, np.uint8(0), hand), seen.astype(np.float32))
        likely = self.likelihood[colour_index(self.scene.rgb[t][crop])]
        return _Window(int(left), int(top), hand, np.where(self.scene.foreground(t)[crop] & (hand == 0), likely, 0.0))

    def _cut(self, affine: np.ndarray, window: _Window) -> np.ndarray:
        """The silhouette inside a window."""
        size = (window.hand.shape[1], window.hand.shape[0])
        return cv2.warpAffine(self.mask, window.local(affine), size, flags=cv2.INTER_NEAREST)

    def _quality(self, affine: np.ndarray, window: _Window) -> float:
        """Mean likelihood over the visible part of the silhouette; NaN when less than a tenth of it shows."""
        visible = (self._cut(affine, window) > 0) & (window.hand == 0)
        if visible.sum() < 0.1 * max(self.anchor.area, 1):
            return float("nan")
        return float((window.likely[visible] > 0.3).mean())

    def _looks(self, affine: np.ndarray, t: int, window: _Window) -> bool:
        """Whether a silhouette that is said to have stayed still looks like itself, pixel by pixel.

        What is behind a taken object may share its colours and stand still; its pattern is another.
        """
        moved = np.linalg.norm(apply(affine, self.centre[None])[0] - self.centre)
        if moved > 0.3 * self.extent:
            return True
        size = (window.hand.shape[1], window.hand.shape[0])
        before = cv2.warpAffine(self.anchor.image, window.local(affine), size, flags=cv2.INTER_LINEAR)
        visible = (self._cut(affine, window) > 0) & (window.hand == 0)
        now = self.scene.rgb[t][window.top : window.top + size[1], window.left : window.left + size[0]]
        difference = np.abs(now.astype(np.int16) - before).mean(-1)[visible]
        return len(difference) == 0 or float((difference < 30).mean()) > 0.5

    def _by_flow(self, t: int, window: _Window) -> np.ndarray | None:
        """Similarity from template points carried by pyramidal Lucas-Kanade with a forward-backward check."""
        if len(self.points) < _MIN_INLIERS:
            return None
        offset = np.array([window.left, window.top], np.float32)
        height, width = window.hand.shape
        crop = np.s_[window.top : window.top + height, window.left : window.left + width]
        before, now = self.scene.grey(self.previous)[crop], self.scene.grey(t)[crop]
        moved, good = flow_points(before, now, self.points - offset)
        xy = np.round(moved).astype(int)
        inside = (xy >= 0).all(1) & (xy[:, 0] < width) & (xy[:, 1] < height)
        good &= inside
        good[inside] &= window.hand[xy[inside, 1], xy[inside, 0]] == 0
        self.template, self.points = self.template[good], moved[good] + offset
        if len(self.points) < _MIN_INLIERS:
            return None
        return self._fit()

    def _fit(self) -> np.ndarray | None:
        """Robust similarity from template to current points; keeps its inliers. ``None`` when few agree or it leaps."""
        cv2.setRNGSeed(0)
        threshold = 0.006 * min(self.scene.shape)
        affine, inliers = cv2.estimateAffinePartial2D(
            self.template, self.points, method=cv2.RANSAC, ransacReprojThreshold=threshold, maxIters=200
        )
        if affine is None or inliers.sum() < max(_MIN_INLIERS, 0.4 * len(self.points)):
            return None
        change = scale_of(affine) / scale_of(self.affine)
        limit = self.scene.params.max_depth_change
        if not 0.88 < change < 1.14 or not 1.0 / limit < scale_of(affine) < limit:
            return None
        keep = inliers[:, 0] > 0
        self.template, self.points = self.template[keep], self.points[keep]
        return affine

    def _settle(self, flow: np.ndarray, window: _Window) -> np.ndarray:
        """Flow drifts on plain surfaces: go half of the way to where outline and colours fit best, a few pixels off.

        Only while the colours still fit: a plate that shows its other side is no guide.
        """
        if not self._quality(flow, window) > 0.75:
            return flow
        shift = 0.5 * self._best_shift(flow, window, 3)
        if not shift.any():
            return flow
        affine = flow.copy()
        affine[:, 2] += shift
        self.template = apply(cv2.invertAffineTransform(affine), self.points).astype(np.float32)
        return affine

    def _without_flow(self, t: int, predicted: np.ndarray, window: _Window) -> tuple[_Window, Cue, np.ndarray]:
        """By colours or by the hand: near where the hand took it, or, if it was let go, wherever its colours are."""
        hand = self._touching_hand(t)
        bound = self._by_hand(t, hand) if hand is not None else None
        if t in self.ahead:
            goes = hand is not None and bound is not None and self._goes_with(hand)
            self.held = self._still_held(t) if goes else None
        reach = self.reach
        if self.held and bound is not None:
            predicted, window, reach = bound, self._window(t, bound), self.reach // 3
        elif self.held is False:
            bound, reach = None, 2 * self.reach
            window = self._window(t, predicted, reach)
        found = self._by_colour(predicted, window, reach)
        if found is not None:
            return window, Cue.COLOUR, found
        return (window, Cue.LOST, self.affine.copy()) if bound is None else (window, Cue.HAND, bound)

    def _still_held(self, t: int) -> bool:
        """Is what went with the hand still in it, or was it let go? Whichever is found better for a while, from here.

        The answer holds meanwhile.
        """
        at = self.ahead.index(t)
        score = []
        for held in (True, False):
            probe = copy(self)
            probe.held, probe.ahead = held, []
            score.append(sum(probe._found(s) for s in self.ahead[at : at + self.look]))
        self.ahead = self.ahead[at + self.look :]
        return score[0] >= score[1]

    def _found(self, t: int) -> float:
        """How well it is found in a frame; what is hidden is worth what is just found."""
        _, cue, quality = self.step(t)
        if cue == Cue.LOST:
            return 0.0
        return self.scene.params.track_quality if np.isnan(quality) else quality

    def _by_colour(self, predicted: np.ndarray, window: _Window, reach: int) -> np.ndarray | None:
        """Translation of the silhouette to the likely pixels around, if it then lies on enough of them."""
        affine = predicted.copy()
        affine[:, 2] += self._best_shift(predicted, window, reach)
        return affine if self._quality(affine, window) >= self.scene.params.track_quality else None

    def _best_shift(self, predicted: np.ndarray, window: _Window, reach: int) -> np.ndarray:
        """Shift (x, y) that best lays the silhouette, and not its rim, over likely pixels; of equals the nearest."""
        rim = self.rim
        corners = apply(predicted, self.box)
        left, top = np.floor(corners.min(0)).astype(int) - rim
        right, bottom = np.ceil(corners.max(0)).astype(int) + rim + 1
        size = (int(right - left), int(bottom - top))
        local = compose(np.array([[1.0, 0.0, -left], [0.0, 1.0, -top]]), predicted)
        kernel = cv2.warpAffine(self.mask, local, size, flags=cv2.INTER_NEAREST)
        if kernel.sum() < 20:
            return np.zeros(2)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
        ring = (cv2.dilate(kernel, disc) > 0) & (kernel == 0)
        weight = kernel.astype(np.float32) / kernel.sum() - 0.5 * ring.astype(np.float32) / max(ring.sum(), 1)
        # The search area is cut out of the window, and zero where it reaches beyond it.
        shift = np.array([[1.0, 0.0, window.left - left + reach], [0.0, 1.0, window.top - top + reach]])
        area = cv2.warpAffine(window.likely, shift, (size[0] + 2 * reach, size[1] + 2 * reach), flags=cv2.INTER_NEAREST)
        score = cv2.matchTemplate(area.astype(np.float32), weight.astype(np.float32), cv2.TM_CCORR)
        offset = np.arange(-reach, reach + 1)
        score = score - 1e-4 * np.hypot(offset[:, None], offset[None])
        dy, dx = np.unravel_index(int(score.argmax()), score.shape)
        return np.array([dx - reach, dy - reach], float)

    def _touching_hand(self, t: int) -> int | None:
        """The hand that touches the silhouette and is seen in frame t, too."""
        joints = self.scene.joints_2d
        mask = warp_mask(self.anchor.mask, self.affine).astype(np.uint8)
        gap = gap_to_mask(joints[self.previous][:, list(FINGERS)], mask) / self.scene.size_px
        gap = np.where(np.isnan(joints[t]).any((-1, -2)) | np.isnan(gap), np.inf, gap)
        hand = int(gap.argmin())
        return hand if gap[hand] <= self.scene.params.contact_gap_hands else None

    def _by_hand(self, t: int, hand: int) -> np.ndarray:
        """Translation of the palm of a hand."""
        motion = np.eye(2, 3)
        motion[:, 2] = self._palm_motion(self.previous, t, hand)
        return compose(motion, self.affine)

    def _goes_with(self, hand: int) -> bool:
        """Whether the silhouette has moved, of late, and as the hand did."""
        since, start = self.trail[0]
        own, palm = self.trail[-1][1] - start, self._palm_motion(since, self.previous, hand)
        elapsed_s = abs(self.scene.time[self.previous] - self.scene.time[since])
        least = self.scene.params.move_speed * min(self.scene.shape) * elapsed_s
        return bool(np.linalg.norm(own) > least and same_way(palm[None], own[None])[0])

    def _palm_motion(self, start: int, end: int, hand: int) -> np.ndarray:
        joints = self.scene.joints_2d[:, hand, list(_PALM)]
        return np.asarray((joints[end] - joints[start]).mean(0))

    def _refill(self, t: int, window: _Window) -> None:
        """Add corners inside the visible silhouette, remembering where they lie in the template."""
        if len(self.points) >= _MAX_POINTS // 2:
            return
        height, width = window.hand.shape
        crop = np.s_[window.top : window.top + height, window.left : window.left + width]
        own = self.scene.foreground(t) if self.anchor.seen is None else self.anchor.seen[t]
        visible = (self._cut(self.affine, window) > 0) & (window.hand == 0) & own[crop]
        region = cv2.erode(visible.astype(np.uint8), np.ones((3, 3), np.uint8))
        offset = np.array([window.left, window.top], np.float32)
        for x, y in np.round(self.points - offset).astype(int):
            cv2.circle(region, (int(x), int(y)), 3, 0, -1)
        grey = self.scene.grey(t)[crop]
        corners = cv2.goodFeaturesToTrack(grey, _MAX_POINTS - len(self.points), 0.01, 3, mask=region)
        if corners is None:
            return
        found = corners[:, 0] + offset
        self.points = np.concatenate([self.points, found]).astype(np.float32)
        self.template = np.concatenate([self.template, apply(cv2.invertAffineTransform(self.affine), found)]).astype(
            np.float32
        )


def follow(
    scene: Scene, anchor: Anchor, frames: np.ndarray, rests: Sequence[Anchor] = ()
) -> tuple[Track, Anchor | None]:
    """Follow an anchor's silhouette over consecutive frames (ascending or descending).

    Args:
        scene: The clip.
        anchor: Template; it stands as in ``anchor.mask`` at ``frames[0]``.
        frames: (n,) frame indices.
        rests: Anchors at which it may come to rest; following stops at the first that it lies on and looks like.

    Returns:
        The track, which ends when the silhouette is lost for half a second, and the anchor it came to rest at.
    """
    follower = Follower(scene, anchor, frames)
    settle = round(0.1 * scene.fps)
    ascending = len(frames) < 2 or frames[1] > frames[0]
    due = {int(b.first) + settle if ascending else int(b.last) - settle: b for b in rests}
    affine, cue, quality = [np.eye(2, 3)], [Cue.STANDING], [1.0]
    matches: list[np.ndarray] = [np.zeros((0, 4), np.float32)]
    patience, lost, reached = round(0.5 * scene.fps), 0, None
    for t in frames[1:]:
        a, c, q = follower.step(int(t))
        affine.append(a)
        cue.append(c)
        quality.append(q)
        carried = np.hstack([follower.template, follower.points]).astype(np.float32)
        matches.append(carried if c == Cue.FLOW else matches[0])
        lost = lost + 1 if c == Cue.LOST else 0
        if lost > patience:
            break
        rest = due.get(int(t))
        if rest is not None and not lost and _lies_on(anchor, rest, a):
            reached = rest
            break
    n = len(affine)
    return Track(frames[:n], np.array(affine), np.array(cue, np.uint8), np.array(quality), tuple(matches)), reached


def _lies_on(anchor: Anchor, rest: Anchor, affine: np.ndarray) -> bool:
    alike = similarity(anchor.histogram, rest.histogram)
    return alike > 0.4 and overlap(warp_mask(anchor.mask, affine), rest.mask) > 0.45

"""Follow one silhouette through the frames by 2D similarities: optical flow first, colours second, the hand last."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset.builder.reconstruct.objects.anchors import Anchor
from hoiset.builder.reconstruct.objects.hand_regions import gap_to_mask
from hoiset.builder.reconstruct.objects.scene import Scene, colour_index

_MIN_INLIERS = 8
_MAX_POINTS = 160
_PALM = (0, 1, 5, 9, 13, 17)


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
        quality: (n,) share of the visible predicted silhouette that is foreground in the object's colours; NaN where hidden.
        matches: Per frame, (m, 4) float32 rows of template x, y and frame x, y of the points that flow carried.
    """

    frames: np.ndarray
    affine: Float[np.ndarray, "n 2 3"]
    cue: UInt8[np.ndarray, "n"]
    quality: Float[np.ndarray, "n"]
    matches: tuple[np.ndarray, ...] = ()


def compose(a: Float[np.ndarray, "2 3"], b: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "2 3"]:
    """The affine map that applies b first, then a."""
    return np.column_stack([a[:, :2] @ b[:, :2], a[:, :2] @ b[:, 2] + a[:, 2]])


def apply(a: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
    """Map points by an affine map."""
    return points @ a[:, :2].T + a[:, 2]


def scale_of(a: Float[np.ndarray, "*B 2 3"]) -> Float[np.ndarray, "*B"]:
    """Scale of similarities."""
    return np.sqrt(np.abs(np.linalg.det(a[..., :2])))


def warp_mask(mask: Bool[np.ndarray, "H W"], a: Float[np.ndarray, "2 3"]) -> Bool[np.ndarray, "H W"]:
    """Move a silhouette by an affine map."""
    height, width = mask.shape
    return cv2.warpAffine(mask.astype(np.uint8), a, (width, height), flags=cv2.INTER_NEAREST) > 0


class Follower:
    """State of following one anchor's silhouette from frame to frame."""

    def __init__(self, scene: Scene, anchor: Anchor, start: int) -> None:
        """Begin at frame ``start``, where the silhouette stands as in the anchor."""
        self.scene, self.anchor, self.start = scene, anchor, start
        total = anchor.histogram + 0.7 * scene.person + 1e-4
        self.likelihood = (anchor.histogram / total).astype(np.float32)
        self.affine = np.eye(2, 3)
        self.velocity = np.zeros(2)
        self.previous = start
        self.template = np.zeros((0, 2), np.float32)
        self.points = np.zeros((0, 2), np.float32)
        y, x = np.nonzero(anchor.mask)
        self.centre = np.array([x.mean(), y.mean()])
        self.extent = float(max(np.ptp(x), np.ptp(y)))
        self._refill(start)

    def step(self, t: int) -> tuple[np.ndarray, Cue, float]:
        """Advance to frame t (a neighbour of the previous one): (affine, cue, quality)."""
        predicted = self.affine.copy()
        predicted[:, 2] += self.velocity
        likely = self._likely(t)
        flow = self._by_flow(t)
        cue, affine = Cue.LOST, predicted
        if flow is not None and self._quality(flow, likely, t) >= self.scene.params.track_quality:
            cue, affine = Cue.FLOW, flow
        else:
            found = self._by_colour(predicted, likely, t)
            if found is not None:
                cue, affine = Cue.COLOUR, found
            else:
                bound = self._by_hand(t)
                if bound is not None:
                    cue, affine = Cue.HAND, bound
        if cue == Cue.LOST:
            affine = self.affine.copy()
        moved = apply(affine, self.centre[None])[0] - apply(self.affine, self.centre[None])[0]
        self.velocity = 0.5 * moved if cue != Cue.LOST else np.zeros(2)
        self.affine, self.previous = affine, t
        if cue != Cue.FLOW:
            self._reseat()
        self._refill(t)
        return affine, cue, self._quality(affine, likely, t)

    def _likely(self, t: int) -> np.ndarray:
        """(H, W) float32 0..1: foreground in the object's colours; NaN-free, 0 under hands."""
        image = self.likelihood[colour_index(self.scene.rgb[t])]
        return np.where(self.scene.foreground(t) & (self.scene.hand_masks[t] == 0), image, 0.0).astype(np.float32)

    def _quality(self, affine: np.ndarray, likely: np.ndarray, t: int) -> float:
        """Mean likelihood over the visible part of the silhouette; NaN when less than a tenth of it shows."""
        mask = warp_mask(self.anchor.mask, affine)
        visible = mask & (self.scene.hand_masks[t] == 0)
        if visible.sum() < 0.1 * max(self.anchor.area, 1):
            return float("nan")
        return float((likely[visible] > 0.3).mean())

    def _by_flow(self, t: int) -> np.ndarray | None:
        """Similarity from template points carried by pyramidal Lucas-Kanade with a forward-backward check."""
        if len(self.points) < _MIN_INLIERS:
            return None
        before = cv2.cvtColor(self.scene.rgb[self.previous], cv2.COLOR_RGB2GRAY)
        now = cv2.cvtColor(self.scene.rgb[t], cv2.COLOR_RGB2GRAY)
        options = {"winSize": (15, 15), "maxLevel": 3}
        moved, ok, _ = cv2.calcOpticalFlowPyrLK(before, now, self.points[:, None], None, **options)
        back, ok_back, _ = cv2.calcOpticalFlowPyrLK(now, before, moved, None, **options)
        moved, back = moved[:, 0], back[:, 0]
        good = (ok[:, 0] > 0) & (ok_back[:, 0] > 0) & (np.linalg.norm(back - self.points, axis=1) < 1.0)
        xy = np.round(moved).astype(int)
        height, width = self.scene.shape
        inside = (xy[:, 0] >= 0) & (xy[:, 0] < width) & (xy[:, 1] >= 0) & (xy[:, 1] < height)
        good &= inside
        good[inside] &= self.scene.hand_masks[t][xy[inside, 1], xy[inside, 0]] == 0
        self.template, self.points = self.template[good], moved[good]
        if len(self.points) < _MIN_INLIERS:
            return None
        cv2.setRNGSeed(0)
        affine, inliers = cv2.estimateAffinePartial2D(
            self.template,
            self.points,
            method=cv2.RANSAC,
            ransacReprojThreshold=0.006 * min(height, width),
            maxIters=200,
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

    def _by_colour(self, predicted: np.ndarray, likely: np.ndarray, t: int) -> np.ndarray | None:
        """Translation that best lays the silhouette, and not its surroundings, over likely pixels."""
        height, width = self.scene.shape
        mask = warp_mask(self.anchor.mask, predicted)
        y, x = np.nonzero(mask)
        if len(x) < 20:
            return None
        reach = max(4, int(0.05 * min(height, width)))
        rim = max(3, int(0.1 * self.extent))
        left, right, top, bottom = x.min() - rim, x.max() + rim + 1, y.min() - rim, y.max() + rim + 1
        pad = rim + reach
        padded = cv2.copyMakeBorder(likely, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0.0)
        shape = cv2.copyMakeBorder(mask.astype(np.uint8), pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
        kernel = shape[top + pad : bottom + pad, left + pad : right + pad]
        ring = (cv2.dilate(kernel, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))) > 0) & (
            kernel == 0
        )
        weight = kernel.astype(np.float32) / kernel.sum() - 0.5 * ring.astype(np.float32) / max(ring.sum(), 1)
        window = padded[
            max(0, top + pad - reach) : bottom + pad + reach, max(0, left + pad - reach) : right + pad + reach
        ]
        if window.shape[0] < weight.shape[0] or window.shape[1] < weight.shape[1]:
            return None
        score = cv2.matchTemplate(window, weight.astype(np.float32), cv2.TM_CCORR)
        dy, dx = np.unravel_index(int(score.argmax()), score.shape)
        origin_y, origin_x = min(reach, top + pad), min(reach, left + pad)
        affine = predicted.copy()
        affine[:, 2] += (dx - origin_x, dy - origin_y)
        quality = self._quality(affine, likely, t)
        return affine if quality >= self.scene.params.track_quality else None

    def _by_hand(self, t: int) -> np.ndarray | None:
        """Similarity of the palm of the hand that touches the silhouette."""
        joints = self.scene.joints_2d
        gap = (
            gap_to_mask(joints[self.previous], warp_mask(self.anchor.mask, self.affine).astype(np.uint8))
            / self.scene.size_px
        )
        gap = np.where(np.isnan(joints[t]).any((-1, -2)) | np.isnan(gap), np.inf, gap)
        hand = int(gap.argmin())
        if gap[hand] > self.scene.params.contact_gap_hands:
            return None
        source = joints[self.previous, hand, _PALM].astype(np.float32)
        target = joints[t, hand, _PALM].astype(np.float32)
        motion = np.eye(2, 3)
        motion[:, 2] = (target - source).mean(0)
        return compose(motion, self.affine)

    def _reseat(self) -> None:
        """Drop the points: their template coordinates no longer agree with the silhouette's place."""
        self.template, self.points = self.template[:0], self.points[:0]

    def _refill(self, t: int) -> None:
        """Add corners inside the visible silhouette, remembering where they lie in the template."""
        if len(self.points) >= _MAX_POINTS // 2:
            return
        visible = warp_mask(self.anchor.mask, self.affine) & (self.scene.hand_masks[t] == 0) & self.scene.foreground(t)
        region = cv2.erode(visible.astype(np.uint8), np.ones((3, 3), np.uint8))
        for x, y in np.round(self.points).astype(int):
            cv2.circle(region, (int(x), int(y)), 3, 0, -1)
        grey = cv2.cvtColor(self.scene.rgb[t], cv2.COLOR_RGB2GRAY)
        corners = cv2.goodFeaturesToTrack(grey, _MAX_POINTS - len(self.points), 0.01, 3, mask=region)
        if corners is None:
            return
        inverse = cv2.invertAffineTransform(self.affine)
        self.points = np.concatenate([self.points, corners[:, 0]]).astype(np.float32)
        self.template = np.concatenate([self.template, apply(inverse, corners[:, 0])]).astype(np.float32)


def follow(scene: Scene, anchor: Anchor, frames: np.ndarray) -> Track:
    """Follow an anchor's silhouette over consecutive frames (ascending or descending).

    Args:
        scene: The clip.
        anchor: Template; it stands as in ``anchor.mask`` at ``frames[0]``.
        frames: (n,) frame indices.

    Returns:
        A track of the same length; it ends early in :attr:`Cue.LOST` frames when lost for half a second.
    """
    follower = Follower(scene, anchor, int(frames[0]))
    affine = np.tile(np.eye(2, 3), (len(frames), 1, 1))
    cue = np.zeros(len(frames), np.uint8)
    quality = np.full(len(frames), np.nan)
    cue[0], quality[0] = Cue.STANDING, 1.0
    matches: list[np.ndarray] = [np.zeros((0, 4), np.float32)] * len(frames)
    patience, lost = int(round(0.5 * scene.fps)), 0
    for k in range(1, len(frames)):
        affine[k], cue[k], quality[k] = follower.step(int(frames[k]))
        if cue[k] == Cue.FLOW:
            matches[k] = np.hstack([follower.template, follower.points]).astype(np.float32)
        weak = cue[k] == Cue.LOST or (cue[k] == Cue.FLOW and quality[k] < scene.params.track_quality)
        lost = lost + 1 if weak else 0
        if lost > patience:
            affine[k + 1 :] = affine[k]
            cue[k - patience :] = Cue.LOST
            break
    return Track(frames, affine, cue, quality, tuple(matches))

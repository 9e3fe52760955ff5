"""What speaks for and against a followed silhouette being an object that a hand moves."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from hoiset.builder.reconstruct.objects.anchors import FINGERS
from hoiset.builder.reconstruct.objects.colours import colour_index, similarity
from hoiset.builder.reconstruct.objects.hand_regions import gap_to_mask
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.builder.reconstruct.objects.plane_maps import same_way, warp_mask
from hoiset.builder.reconstruct.objects.scene import Scene
from hoiset.builder.reconstruct.objects.track import Cue


@dataclass(frozen=True)
class ObjectTrack:
    """One object in the image over the whole clip.

    Attributes:
        mask: (H, W) template silhouette.
        image: (H, W, 3) uint8, the picture it was cut from.
        template_frame: A frame in which it stands exactly as in the template.
        affine: (T, 2, 3) similarity from template pixels to frame pixels; NaN where absent.
        cue: (T,) uint8, :class:`Cue`.
        quality: (T,) evidence for the silhouette, 0..1; NaN where hidden or absent.
        histogram: (B,) its colours.
        matches: Frame -> (m, 4) template x, y and frame x, y of points that flow carried from this very template.
        seen: (T, H, W) its visible pixels, where they are known from elsewhere.
    """

    mask: Bool[np.ndarray, "H W"]
    image: UInt8[np.ndarray, "H W 3"]
    template_frame: int
    affine: Float[np.ndarray, "T 2 3"]
    cue: UInt8[np.ndarray, "T"]
    quality: Float[np.ndarray, "T"]
    histogram: Float[np.ndarray, "B"]
    matches: dict[int, np.ndarray]
    seen: Bool[np.ndarray, "T H W"] | None = None

    def silhouette(self, t: int) -> Bool[np.ndarray, "H W"]:
        """Whole predicted silhouette in frame t, hidden parts included; empty where absent."""
        if np.isnan(self.affine[t]).any():
            return np.zeros_like(self.mask)
        return warp_mask(self.mask, self.affine[t])

    def visible(self, t: int, hand_mask: UInt8[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
        """Pixels of frame t that show it: those that are known to, else the silhouette where no hand is in front."""
        return self.silhouette(t) & (hand_mask == 0) if self.seen is None else self.seen[t]

    def centroid(self) -> Float[np.ndarray, "T 2"]:
        """Centre of the silhouette, px; NaN where absent."""
        y, x = np.nonzero(self.mask)
        return self.affine[:, :, :2] @ np.array([x.mean(), y.mean()]) + self.affine[:, :, 2]

    @property
    def followed(self) -> Bool[np.ndarray, "T"]:
        """Frames in which pixels, not an assumption, say where it is while it may move."""
        return (self.cue == Cue.FLOW) | (self.cue == Cue.COLOUR)


def velocity(
    points: Float[np.ndarray, "T *N 2"], time: Float[np.ndarray, "T"], window_s: float = 0.15
) -> Float[np.ndarray, "T *N 2"]:
    """Central difference over a window, px/s; NaN where an end of the window is absent."""
    before, after = window_ends(time, window_s)
    elapsed_s = np.maximum(time[after] - time[before], 1e-6)
    return (points[after] - points[before]) / elapsed_s.reshape(-1, *[1] * (points.ndim - 1))


def window_ends(
    time: Float[np.ndarray, "T"], window_s: float = 0.15
) -> tuple[Int[np.ndarray, "T"], Int[np.ndarray, "T"]]:
    """First and last frame of a window around each frame."""
    half = max(1, round(window_s / 2 / max(np.median(np.diff(time)), 1e-6)))
    index = np.arange(len(time))
    return np.maximum(index - half, 0), np.minimum(index + half, len(time) - 1)


def finger_gap(scene: Scene, obj: ObjectTrack, frames: np.ndarray) -> Float[np.ndarray, "n 2"]:
    """Least image distance of each hand's fingers from the silhouette, in hand sizes; NaN where either is absent."""
    gap = np.full((len(frames), 2), np.nan)
    for k, t in enumerate(frames):
        mask = obj.silhouette(int(t))
        if mask.any():
            gap[k] = gap_to_mask(scene.joints_2d[t][:, list(FINGERS)], mask.astype(np.uint8)) / scene.size_px
    return gap


def moved_by_hand(scene: Scene, obj: ObjectTrack) -> float:
    """Share of the touched frames of its motion in which the hand moves along; 0 if seldom touched, NaN if at rest."""
    short = min(scene.shape)
    own = velocity(obj.centroid(), scene.time)
    speed = np.linalg.norm(own, axis=1)
    frames = np.nonzero(obj.followed & (np.nan_to_num(speed) > scene.params.move_speed * short))[0]
    if len(frames) == 0:
        return float("nan")
    frames = frames[np.unique(np.linspace(0, len(frames) - 1, min(len(frames), 40)).astype(int))]
    gap = finger_gap(scene, obj, frames)
    touches = np.nan_to_num(gap, nan=np.inf) <= scene.params.contact_gap_hands
    if touches.any(1).mean() < 0.2:
        return 0.0
    agrees = np.zeros(len(frames), bool)
    for h in range(2):
        hand = velocity(scene.joints_2d[:, h].mean(1), scene.time)[frames]
        agrees |= touches[:, h] & same_way(hand, own[frames])
    return float(agrees[touches.any(1)].mean())


def outline_contrast(scene: Scene, obj: ObjectTrack) -> float:
    """How much more the moving silhouette has the object's colours than the rim around it, -1..1.

    A patch cut out of clothes or of a larger object goes on beyond its outline; an object does not.
    """
    likelihood = obj.histogram / (obj.histogram + 0.7 * scene.person + 1e-4)
    width = max(3, round(0.12 * np.sqrt(obj.mask.sum())))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    frames = np.nonzero(obj.followed)[0]
    if len(frames) == 0:
        return 0.0
    scores = []
    for t in frames[np.unique(np.linspace(0, len(frames) - 1, 12).astype(int))]:
        mask = obj.silhouette(int(t))
        rim = (cv2.dilate(mask.astype(np.uint8), disc) > 0) & ~mask
        likely = np.where(scene.foreground(int(t)), likelihood[colour_index(scene.rgb[t])], 0.0) > 0.3
        free = scene.hand_masks[t] == 0
        if (mask & free).any() and (rim & free).any():
            scores.append(likely[mask & free].mean() - likely[rim & free].mean())
    return float(np.median(scores)) if scores else 0.0


def behind_wrist(scene: Scene, obj: ObjectTrack) -> float:
    """How far up the arm, from the wrist of the nearer hand, the silhouette lies while followed: median, in hand sizes.

    Negative on the hand's side of the wrist, where what a hand holds is; NaN where no hand is seen meanwhile. A sleeve
    moves with the hand as well as any object does, and is told apart by this alone.
    """
    frames = np.nonzero(obj.followed | (obj.cue == Cue.HAND))[0]
    joints, centre = scene.joints_2d[frames], obj.centroid()[frames]
    wrist, along = joints[:, :, 0], joints[:, :, 0] - joints[:, :, 9]
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-6)
    up = ((centre[:, None] - wrist) * along).sum(-1) / scene.size_px
    away = np.linalg.norm(centre[:, None] - joints.mean(2), axis=-1)
    seen = np.isfinite(up) & np.isfinite(away)
    nearer = np.where(seen, away, np.inf).argmin(1)
    usable = seen.any(1)
    return float(np.median(up[usable, nearer[usable]])) if usable.any() else float("nan")


def confidence(scene: Scene, obj: ObjectTrack) -> float:
    """Evidence that a silhouette is one object that hands move, 0..1.

    The geometric mean of three independent looks: how well it was followed, how clearly it ends at its outline, and how
    much of its motion a touching hand shares.
    """
    followed = float(np.nan_to_num(obj.quality[obj.followed]).mean()) if obj.followed.any() else 0.0
    parts = (followed, outline_contrast(scene, obj), moved_by_hand(scene, obj))
    return float(np.cbrt(np.prod(np.clip(np.nan_to_num(parts), 0.0, 1.0))))


def evidence(obj: ObjectTrack) -> float:
    """Seen motion, weighted by how well it was seen and by size."""
    if not obj.followed.any():
        return 0.0
    return float(np.nan_to_num(obj.quality[obj.followed]).mean() * obj.followed.sum() * np.sqrt(obj.mask.sum()))


def why_no_object(scene: Scene, obj: ObjectTrack) -> str:
    """Reason why a chain is no moved object, with the value that decided, or ``""``."""
    params: ObjectParams = scene.params
    alike = similarity(obj.histogram, scene.person)
    if alike > 0.85:
        return f"looks_like_the_person ({alike:.2f})"
    followed = obj.followed
    if followed.sum() < max(3, int(0.2 * scene.fps)):
        return "not_followed"
    if (obj.cue == Cue.HAND).sum() > 2.0 * followed.sum():
        return "seen_too_little_in_motion"
    quality = float(np.nan_to_num(obj.quality[followed]).mean())
    if quality < params.track_quality:
        return f"poorly_followed ({quality:.2f})"
    centre = obj.centroid()[followed | (obj.cue == Cue.STANDING)]
    travel = float(np.linalg.norm(np.ptp(centre, axis=0))) / min(scene.shape)
    if travel < params.min_travel:
        return f"hardly_moved ({travel:.3f})"
    up_the_arm = behind_wrist(scene, obj)
    if up_the_arm > 0.0:
        return f"behind_the_wrist ({up_the_arm:.2f})"
    sure = confidence(scene, obj)
    if not sure >= params.min_confidence:
        return f"too_little_evidence ({sure:.2f})"
    return ""

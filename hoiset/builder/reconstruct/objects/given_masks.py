"""Objects whose visible pixels are known: from ground truth, or from a model that segments and follows them.

The silhouette of the frame in which least is hidden is laid onto the visible pixels of every other one; where these
stay, the object stands. Flow (Lucas and Kanade, 1981) then finds points of it beside where it lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hoiset.builder.reconstruct.objects.anchors import clean_picture
from hoiset.builder.reconstruct.objects.colours import colour_histogram
from hoiset.builder.reconstruct.objects.evidence import ObjectTrack
from hoiset.builder.reconstruct.objects.mask_registration import agreement, lay_onto
from hoiset.builder.reconstruct.objects.plane_maps import apply, flow_points
from hoiset.builder.reconstruct.objects.scene import Scene
from hoiset.builder.reconstruct.objects.standing import corners_of
from hoiset.builder.reconstruct.objects.track import Cue
from hoiset.builder.reconstruct.smoothing import runs
from hoiset.shards.schema import MAX_OBJECTS

_SAME = 0.9
_STEP_S = 0.2
_MAX_POINTS = 400
_INSIDE = 0.97


def tracks_of_masks(
    scene: Scene, masks: UInt8[np.ndarray, "T H W"]
) -> tuple[tuple[ObjectTrack, ...], tuple[tuple[str, str], ...]]:
    """Follow every object of given masks.

    Args:
        scene: The clip.
        masks: Visible pixels of object i as i + 1, at any resolution.

    Returns:
        The objects that move, in the order of the masks, and (what, reason) of those that are left out.
    """
    size = (scene.shape[1], scene.shape[0])
    fitted = np.stack([cv2.resize(m, size, interpolation=cv2.INTER_NEAREST) for m in masks])
    tracks, dropped = [], []
    for code in range(1, MAX_OBJECTS + 1):
        seen = fitted == code
        if not seen.any():
            continue
        track = _Masks(scene, seen, (scene.hand_masks > 0) | ((fitted != code) & (fitted > 0))).follow()
        travel = _travel_px(track) / min(scene.shape)
        if travel < scene.params.min_travel:
            dropped.append((f"given mask {code}", f"hardly_moved ({travel:.3f})"))
        else:
            tracks.append(track)
    return tuple(tracks[: scene.params.max_objects]), tuple(dropped)


def _travel_px(track: ObjectTrack) -> float:
    """The most that the object goes away from where it stands, or turns there: that of its corners or its texture."""
    corners = corners_of(track.mask)
    away = [np.linalg.norm(apply(a, corners) - corners, axis=1).mean() for a in track.affine if np.isfinite(a).all()]
    turned = [np.median(np.linalg.norm(m[:, 2:] - m[:, :2], axis=1)) for m in track.matches.values() if len(m) >= 10]
    return float(max([*away, *turned]))


def standing_spans(scene: Scene, seen: Bool[np.ndarray, "T H W"]) -> list[tuple[int, int]]:
    """Half-open frame ranges in which a mask stays where it is, in time order."""
    least = scene.params.min_anchor_s * scene.fps / 2
    return [(a, b) for a, b in runs(_stands(scene, seen)) if b - a >= least]


def _stands(scene: Scene, seen: Bool[np.ndarray, "T H W"]) -> Bool[np.ndarray, "T"]:
    """Frames in which the mask is the same a moment before or after, apart from what a hand hides."""
    step = max(1, round(_STEP_S * scene.fps))
    same = np.zeros(len(seen), bool)
    for t in range(len(seen) - step):
        free = (scene.hand_masks[t] == 0) & (scene.hand_masks[t + step] == 0)
        a, b = seen[t] & free, seen[t + step] & free
        least = 0.3 * max(seen[t].sum(), seen[t + step].sum(), 1)
        if (a | b).sum() >= least and (a & b).sum() >= _SAME * (a | b).sum():
            same[t : t + step + 1] = True
    return same & seen.any((1, 2))


@dataclass(frozen=True)
class _Masks:
    """One object's visible pixels over a clip, and those in front of which something else may be."""

    scene: Scene
    seen: Bool[np.ndarray, "T H W"]
    hidden: Bool[np.ndarray, "T H W"]

    def follow(self) -> ObjectTrack:
        spans = standing_spans(self.scene, self.seen)
        best = self._least_hidden(spans)
        template = self.seen[best]
        affine, quality = self._register(template, best)
        cue = np.where(np.isfinite(affine[:, 0, 0]), Cue.FLOW, Cue.LOST).astype(np.uint8)
        for a, b in spans:
            there = best if a <= best < b else a + int(self.seen[a:b].sum((1, 2)).argmax())
            affine[a:b], cue[a:b], quality[a:b] = affine[there], Cue.STANDING, 1.0
        first, stop = next(((a, b) for a, b in spans if a <= best < b), (best, best + 1))
        image = clean_picture(self.scene.rgb, template, first, stop - 1, self.scene.joints_2d)
        matches = self._matches(template, best, affine, np.flatnonzero(cue == Cue.FLOW).tolist())
        histogram = colour_histogram(image, template)
        return ObjectTrack(template, image, best, affine, cue, quality, histogram, matches, self.seen)

    def _least_hidden(self, spans: list[tuple[int, int]]) -> int:
        """The frame that shows most of it, standing and with nothing in front before anything else."""
        area = self.seen.sum((1, 2)).astype(float)
        rim = np.ones((5, 5), np.uint8)
        for t in np.flatnonzero(area):
            touched = (cv2.dilate(self.seen[t].astype(np.uint8), rim) > 0) & self.hidden[t]
            area[t] *= 0.5 if touched.any() else 1.0
        standing = np.zeros(len(area), bool)
        for a, b in spans:
            standing[a:b] = True
        return int(np.argmax(area * np.where(standing, 1.0, 0.5)))

    def _register(
        self, template: Bool[np.ndarray, "H W"], best: int
    ) -> tuple[Float[np.ndarray, "T 2 3"], Float[np.ndarray, "T"]]:
        """Where the template lies in every frame that shows anything of it, outwards from its own."""
        T = len(self.seen)
        affine, quality = np.full((T, 2, 3), np.nan), np.full(T, np.nan)
        affine[best], quality[best] = np.eye(2, 3), 1.0
        for order in (range(best + 1, T), range(best - 1, -1, -1)):
            last, before, rests = np.eye(2, 3), best, True
            for t in order:
                if not self.seen[t].any():
                    continue
                inside = float((template & self.seen[t]).sum() / self.seen[t].sum())
                rests = rests and inside >= _INSIDE  # what is missing of it then is covered, by an arm say
                if rests:
                    affine[t], quality[t], before = last, inside, t
                    continue
                guesses = [last, _shifted(last, _middle(self.seen[t]) - _middle(self.seen[before]))]
                laid = [lay_onto(template, self.seen[t], self.hidden[t], g) for g in guesses]
                scores = [agreement(template, self.seen[t], self.hidden[t], a) for a in laid]
                last, before = laid[int(np.argmax(scores))], t
                affine[t], quality[t] = last, max(scores)
        return affine, quality

    def _matches(self, template: np.ndarray, best: int, affine: np.ndarray, frames: list[int]) -> dict[int, np.ndarray]:
        """Frame -> (m, 4) template and frame pixels of points that flow finds from where the silhouette lies.

        The template's picture is laid there first, so that nothing adds up over time, and what a hand hid for a while
        is found again.
        """
        inner = cv2.erode(template.astype(np.uint8), np.ones((3, 3)))
        grey = self.scene.grey(best)
        corners: np.ndarray | None = cv2.goodFeaturesToTrack(grey, _MAX_POINTS, 0.003, 2, mask=inner)
        out: dict[int, np.ndarray] = {}
        if corners is None:
            return out
        start = corners[:, 0]
        for t in frames:
            laid = cv2.warpAffine(grey, affine[t], grey.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
            now, good = flow_points(laid, self.scene.grey(t), apply(affine[t], start))
            x, y = np.clip(np.round(now).astype(int).T, 0, np.array(grey.shape[::-1])[:, None] - 1)
            good &= self.seen[t, y, x]
            out[t] = np.column_stack([start, now])[good].astype(np.float32)
        return out


def _middle(mask: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "2"]:
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])


def _shifted(a: Float[np.ndarray, "2 3"], by_px: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2 3"]:
    return np.column_stack([a[:, :2], a[:, 2] + by_px])

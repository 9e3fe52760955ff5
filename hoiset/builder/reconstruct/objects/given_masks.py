"""Objects whose visible pixels are known: from ground truth, or from a model that segments and follows them.

What stands and for how long is read off the masks; the rest is what it is without them: anchors are chained, followed
by flow within the mask, and judged by whether they move.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from hoiset.builder.reconstruct.objects.anchors import FINGERS, Anchor, clean_picture
from hoiset.builder.reconstruct.objects.colours import colour_histogram
from hoiset.builder.reconstruct.objects.discover import chain
from hoiset.builder.reconstruct.objects.evidence import ObjectTrack
from hoiset.builder.reconstruct.objects.hand_regions import gap_to_mask
from hoiset.builder.reconstruct.objects.scene import Scene
from hoiset.builder.reconstruct.smoothing import runs
from hoiset.shards.schema import MAX_OBJECTS

_SAME = 0.9
_STEP_S = 0.2


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
        anchors = standing_anchors(scene, seen)
        track, _ = chain(scene, anchors[0], anchors[1:])
        centre = track.centroid()[np.isfinite(track.affine[:, 0, 0])]
        travel = float(np.linalg.norm(np.ptp(centre, axis=0))) / min(scene.shape)
        if travel < scene.params.min_travel:
            dropped.append((f"given mask {code}", f"hardly_moved ({travel:.3f})"))
        else:
            tracks.append(track)
    return tuple(tracks[: scene.params.max_objects]), tuple(dropped)


def standing_anchors(scene: Scene, seen: Bool[np.ndarray, "T H W"]) -> list[Anchor]:
    """The spans in which a mask stays where it is, in time order; where there is none, its largest frame alone."""
    spans = [(a, b - 1) for a, b in runs(_stands(scene, seen)) if b - a >= scene.params.min_anchor_s * scene.fps / 2]
    if not spans:
        largest = int(seen.sum((1, 2)).argmax())
        spans = [(largest, largest)]
    anchors = [_anchor(scene, seen, first, last) for first, last in spans]
    # A thing that is brought or taken needs a hand's number; without a hand in reach the right one's will do.
    last_frame = len(seen) - 1
    return [
        replace(
            a,
            leaves=_nearest_hand(scene, a.mask, a.last) if a.last < last_frame else -1,
            arrives=_nearest_hand(scene, a.mask, a.first) if a.first > 0 else -1,
        )
        for a in anchors
    ]


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


def _anchor(scene: Scene, seen: Bool[np.ndarray, "T H W"], first: int, last: int) -> Anchor:
    """What is seen of it in most of the frames in which no hand is in front."""
    frames = np.unique(np.linspace(first, last, 15).astype(int))
    free = scene.hand_masks[frames] == 0
    votes = (seen[frames] & free).sum(0) / np.maximum(free.sum(0), 1)
    mask = (votes > 0.5) & (seen[first : last + 1].any(0))
    if not mask.any():
        mask = seen[first]
    image = clean_picture(scene.rgb, mask, first, last, scene.joints_2d)
    return Anchor(mask, first, last, -1, -1, image, colour_histogram(image, mask), seen)


def _nearest_hand(scene: Scene, mask: Bool[np.ndarray, "H W"], frame: int) -> int:
    gap = gap_to_mask(scene.joints_2d[frame][:, list(FINGERS)], mask.astype(np.uint8)) / scene.size_px
    return 1 if np.isnan(gap).all() else int(np.nanargmin(gap))

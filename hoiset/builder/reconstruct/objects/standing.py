"""How long a followed object really stands where an anchor saw it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.reconstruct.objects.evidence import ObjectTrack
from hoiset.builder.reconstruct.objects.plane_maps import apply
from hoiset.builder.reconstruct.objects.track import Cue
from hoiset.builder.reconstruct.smoothing import runs

_LEFT_FRAMES = 2


def stand_longer(track: ObjectTrack, tolerance_px: float) -> ObjectTrack:
    """Let every stand last for as long as what was followed from it, or to it, has not really left its place.

    An anchor ends when a hand comes near, which is before it takes the object; and it begins when the hand has gone.

    Args:
        track: One object.
        tolerance_px: It may seem to be off its place by this much and still stand; twice as much, for two frames in a
            row, and it has left.
    """
    corners = corners_of(track.mask)
    affine, cue, quality = track.affine.copy(), track.cue.copy(), track.quality.copy()
    for first, stop in runs(track.cue == Cue.STANDING):
        pose = track.affine[first]
        for step, edge in ((1, stop - 1), (-1, first)):
            until = _until(track, apply(pose, corners), corners, edge, step, tolerance_px)
            stood = slice(min(edge, until), max(edge, until) + 1)
            affine[stood], cue[stood], quality[stood] = pose, Cue.STANDING, 1.0
    return replace(track, affine=affine, cue=cue, quality=quality)


def _until(
    track: ObjectTrack, there: np.ndarray, corners: np.ndarray, edge: int, step: int, tolerance_px: float
) -> int:
    """The last frame, from a stand's edge on in one direction, in which the object is at the stand's place."""
    until, away, t = edge, 0, edge + step
    while 0 <= t < len(track.cue) and track.cue[t] not in (Cue.LOST, Cue.STANDING) and away < _LEFT_FRAMES:
        off = float(np.linalg.norm(apply(track.affine[t], corners) - there, axis=1).mean())
        until = t if off <= tolerance_px else until
        away = away + 1 if off > 2.0 * tolerance_px else 0
        t += step
    return until


def corners_of(mask: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "4 2"]:
    """Corners of a silhouette's box, px."""
    y, x = np.nonzero(mask)
    return np.array([[x.min(), y.min()], [x.max(), y.min()], [x.max(), y.max()], [x.min(), y.max()]], float)

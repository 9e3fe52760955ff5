"""Chain anchors and tracks into objects: where each silhouette is in every frame of the clip, and on what evidence."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.builder.reconstruct.objects.anchors import Anchor, AnchorSearch
from hoiset.builder.reconstruct.objects.colours import similarity
from hoiset.builder.reconstruct.objects.evidence import ObjectTrack, evidence, why_no_object
from hoiset.builder.reconstruct.objects.scene import Scene
from hoiset.builder.reconstruct.objects.track import Cue, Track, compose, follow, warp_mask


def discover(scene: Scene, search: AnchorSearch) -> tuple[tuple[ObjectTrack, ...], tuple[tuple[str, str], ...]]:
    """Build objects from anchors, in time order.

    Returns:
        The objects that a hand moved, best evidence first, and (what, reason) for everything that was dropped.
    """
    dropped = list(search.rejected)
    objects: list[ObjectTrack] = []
    pending = list(search.anchors)
    # Departures first: what is followed from where it stood explains most of what arrives later.
    for anchor in sorted(pending, key=lambda a: (a.leaves < 0, a.first, -a.area)):
        if any(_explains(o, anchor) for o in objects):
            continue
        track = _chain(scene, anchor, [b for b in pending if b is not anchor])
        reason = why_no_object(scene, track)
        if reason:
            y, x = np.nonzero(anchor.mask)
            dropped.append(
                (f"region x {x.min()}-{x.max()} y {y.min()}-{y.max()}, frames {anchor.first}-{anchor.last}", reason)
            )
        else:
            objects.append(track)
    objects.sort(key=lambda o: -evidence(o))
    kept: list[ObjectTrack] = []
    for candidate in objects:
        if any(_same(candidate, o) for o in kept):
            dropped.append(("object seen twice", "overlaps_a_better_one"))
        elif len(kept) >= scene.params.max_objects:
            dropped.append(("object", "more_objects_than_slots"))
        else:
            kept.append(candidate)
    return tuple(kept), tuple(dropped)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over the smaller of two silhouettes."""
    return float((a & b).sum() / max(min(a.sum(), b.sum()), 1))


def _explains(obj: ObjectTrack, anchor: Anchor) -> bool:
    """Whether an anchor is just that object, standing there."""
    frames = np.linspace(anchor.first, anchor.last, 3).astype(int)
    return float(np.median([_overlap(obj.silhouette(int(t)), anchor.mask) for t in frames])) > 0.45


def _same(a: ObjectTrack, b: ObjectTrack) -> bool:
    frames = np.nonzero(np.isfinite(a.affine[:, 0, 0]) & np.isfinite(b.affine[:, 0, 0]))[0]
    if len(frames) == 0:
        return False
    picked = frames[np.linspace(0, len(frames) - 1, 7).astype(int)]
    return float(np.mean([_overlap(a.silhouette(int(t)), b.silhouette(int(t))) for t in picked])) > 0.55


def _chain(scene: Scene, anchor: Anchor, others: list[Anchor]) -> ObjectTrack:
    """Follow one anchor backwards to where it came from and forwards through every place where it stands again."""
    T = len(scene.rgb)
    affine = np.full((T, 2, 3), np.nan)
    cue = np.zeros(T, np.uint8)
    quality = np.full(T, np.nan)
    begin = 0 if anchor.arrives < 0 else anchor.first
    _stand(affine, cue, quality, begin, anchor.last, np.eye(2, 3))
    if anchor.arrives >= 0 and anchor.first > 0:
        _lay(affine, cue, quality, follow(scene, anchor, np.arange(anchor.first, -1, -1)), np.eye(2, 3))
    matches: dict[int, np.ndarray] = {}
    current, to_current, lead = anchor, np.eye(2, 3), round(0.3 * scene.fps)
    while current is not None and current.leaves >= 0:
        start = max(current.first, current.last - lead)
        track = follow(scene, current, np.arange(start, T))
        following, join = _next_stand(scene, track, current, others)
        end = T if following is None else following.first + 1
        track = _cut(track, end)
        _lay(affine, cue, quality, track, to_current)
        if current is anchor:
            matches = {int(t): m for t, m in zip(track.frames, track.matches, strict=True) if len(m)}
        if following is None:
            break
        others = [b for b in others if b is not following]
        if join is None:
            join = _register(current, following)
            back = follow(scene, following, np.arange(following.first, current.last, -1))
            to_next = compose(join, to_current)
            _lay(affine, cue, quality, back, to_next, only_missing=True)
        else:
            to_next = compose(join, to_current)
        last = following.last if following.leaves >= 0 else T - 1
        _stand(affine, cue, quality, following.first, last, to_next)
        current, to_current = following, to_next
    absent = cue == Cue.LOST
    affine[absent] = np.nan
    return ObjectTrack(anchor.mask, anchor.image, anchor.last, affine, cue, quality, anchor.histogram, matches)


def _cut(track: Track, end: int) -> Track:
    keep = track.frames < end
    matches = tuple(m for m, kept in zip(track.matches, keep, strict=True) if kept)
    return Track(track.frames[keep], track.affine[keep], track.cue[keep], track.quality[keep], matches)


def _stand(affine: np.ndarray, cue: np.ndarray, quality: np.ndarray, first: int, last: int, pose: np.ndarray) -> None:
    span = slice(first, last + 1)
    affine[span], cue[span], quality[span] = pose, Cue.STANDING, 1.0


def _lay(
    affine: np.ndarray, cue: np.ndarray, quality: np.ndarray, track: Track, base: np.ndarray, only_missing: bool = False
) -> None:
    """Write a track into the clip's arrays, with ``base`` mapping the object's template to the track's."""
    for k in range(1, len(track.frames)):
        t = track.frames[k]
        if track.cue[k] == Cue.LOST or (only_missing and cue[t] != Cue.LOST):
            continue
        affine[t], cue[t], quality[t] = compose(track.affine[k], base), track.cue[k], track.quality[k]


def _next_stand(
    scene: Scene, track: Track, current: Anchor, others: list[Anchor]
) -> tuple[Anchor | None, Float[np.ndarray, "2 3"] | None]:
    """The anchor at which a followed silhouette comes to rest, and the similarity there (None: found by looks alone)."""
    later = sorted((b for b in others if b.arrives >= 0 and b.first > current.last), key=lambda b: b.first)
    lost = track.cue == Cue.LOST
    for b in later:
        k = int(np.searchsorted(track.frames, min(b.first + int(0.1 * scene.fps), len(scene.rgb) - 1)))
        if k >= len(track.frames):
            continue
        alike = similarity(current.histogram, b.histogram)
        if not lost[k]:
            if alike > 0.4 and _overlap(warp_mask(current.mask, track.affine[k]), b.mask) > 0.45:
                return b, track.affine[k]
        elif alike > 0.7 and 0.6 < b.area / current.area < 1.6:
            return b, None
    return None, None


def _register(a: Anchor, b: Anchor) -> Float[np.ndarray, "2 3"]:
    """Similarity (no rotation) that lays silhouette a over silhouette b by centre and area."""
    centre = [np.array([np.nonzero(m)[1].mean(), np.nonzero(m)[0].mean()]) for m in (a.mask, b.mask)]
    scale = float(np.sqrt(b.area / a.area))
    return np.column_stack([np.eye(2) * scale, centre[1] - scale * centre[0]])

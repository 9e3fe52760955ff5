"""Chain anchors and tracks into objects: where each silhouette is in every frame of the clip, and on what evidence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.reconstruct.objects.anchors import Anchor, AnchorSearch, describe
from hoiset.builder.reconstruct.objects.colours import similarity
from hoiset.builder.reconstruct.objects.evidence import ObjectTrack, evidence, why_no_object
from hoiset.builder.reconstruct.objects.plane_maps import compose, overlap, warp_mask
from hoiset.builder.reconstruct.objects.scene import Scene
from hoiset.builder.reconstruct.objects.track import Cue, Track, follow

_ATTEMPTS_PER_SLOT = 2


def discover(scene: Scene, search: AnchorSearch) -> tuple[tuple[ObjectTrack, ...], tuple[tuple[str, str], ...]]:
    """Build objects from anchors.

    Returns:
        The objects that a hand moved, best evidence first, and (what, reason) for everything that was dropped.
    """
    dropped = list(search.rejected)
    promising = sorted(search.anchors, key=lambda a: -a.area)
    attempts = _ATTEMPTS_PER_SLOT * scene.params.max_objects
    dropped += [(describe(a), "smaller_than_enough_others") for a in promising[attempts:]]
    pending = promising[:attempts]
    objects: list[ObjectTrack] = []
    taken: set[int] = set()
    # Departures first: what is followed from where it stood explains most of what arrives later.
    for anchor in sorted(pending, key=lambda a: (a.leaves < 0, a.first, -a.area)):
        if id(anchor) in taken or any(_explains(o, anchor) for o in objects):
            continue
        track, visited = chain(scene, anchor, [b for b in pending if b is not anchor and id(b) not in taken])
        reason = why_no_object(scene, track)
        if reason:
            dropped.append((describe(anchor), reason))
        else:
            objects.append(track)
            taken |= visited
    kept: list[ObjectTrack] = []
    for candidate in sorted(objects, key=lambda o: -evidence(o)):
        if any(_same(candidate, o) for o in kept):
            dropped.append((f"object around frame {candidate.template_frame}", "overlaps_a_better_one"))
        elif len(kept) >= scene.params.max_objects:
            dropped.append((f"object around frame {candidate.template_frame}", "more_objects_than_slots"))
        else:
            kept.append(candidate)
    return tuple(kept), tuple(dropped)


def _explains(obj: ObjectTrack, anchor: Anchor) -> bool:
    """Whether an anchor is just that object, standing there."""
    frames = np.linspace(anchor.first, anchor.last, 3).astype(int)
    return float(np.median([overlap(obj.silhouette(int(t)), anchor.mask) for t in frames])) > 0.45


def _same(a: ObjectTrack, b: ObjectTrack) -> bool:
    """Whether two objects lie on each other for a third of the frames in which both are: then they are one."""
    frames = np.nonzero(np.isfinite(a.affine[:, 0, 0]) & np.isfinite(b.affine[:, 0, 0]))[0]
    if len(frames) == 0:
        return False
    picked = frames[np.linspace(0, len(frames) - 1, 15).astype(int)]
    return float(np.mean([overlap(a.silhouette(int(t)), b.silhouette(int(t))) > 0.5 for t in picked])) > 0.33


@dataclass
class _Timeline:
    """The clip's frames, filled in while one object is followed; poses map the first anchor's template."""

    affine: Float[np.ndarray, "T 2 3"]
    cue: np.ndarray
    quality: np.ndarray
    matches: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def empty(cls, n_frames: int) -> _Timeline:
        return cls(np.full((n_frames, 2, 3), np.nan), np.zeros(n_frames, np.uint8), np.full(n_frames, np.nan))

    def stand_as(self, anchor: Anchor, pose: Float[np.ndarray, "2 3"]) -> None:
        """Stand where an anchor does: from the clip's start if nobody brings it, to its end if nobody takes it."""
        first = 0 if anchor.arrives < 0 else anchor.first
        stop = len(self.cue) if anchor.leaves < 0 else anchor.last + 1
        self.affine[first:stop], self.cue[first:stop], self.quality[first:stop] = pose, Cue.STANDING, 1.0

    def lay(self, track: Track, base: Float[np.ndarray, "2 3"], *, only_missing: bool = False) -> None:
        """Write a track, with ``base`` mapping the first template to the track's."""
        for k in range(1, len(track.frames)):
            t = int(track.frames[k])
            if track.cue[k] == Cue.LOST or (only_missing and self.cue[t] != Cue.LOST):
                continue
            self.affine[t], self.cue[t] = compose(track.affine[k], base), track.cue[k]
            self.quality[t] = track.quality[k]


def chain(scene: Scene, anchor: Anchor, others: list[Anchor]) -> tuple[ObjectTrack, set[int]]:
    """Follow one anchor backwards to where it came from and forwards through every place where it stands again.

    Returns:
        The object, and the ids of the anchors at which it stood.
    """
    line = _Timeline.empty(len(scene.rgb))
    line.stand_as(anchor, np.eye(2, 3))
    before = _extend(scene, line, anchor, others, forward=False)
    others = [b for b in others if all(b is not a for a, _ in before)]
    after = _extend(scene, line, anchor, others, forward=True)
    visited = [(anchor, np.eye(2, 3)), *before, *after]
    return _finish(line, visited), {id(a) for a, _ in visited}


def _extend(
    scene: Scene, line: _Timeline, anchor: Anchor, others: list[Anchor], *, forward: bool
) -> list[tuple[Anchor, Float[np.ndarray, "2 3"]]]:
    """Follow an anchor in one direction of time, from stand to stand: the anchors it reached, with their poses."""
    n, lead = len(scene.rgb), round(0.3 * scene.fps)
    current, pose, reached_all = anchor, np.eye(2, 3), []
    while (current.leaves if forward else current.arrives) >= 0:
        if forward:
            rests = [b for b in others if b.arrives >= 0 and b.first > current.last]
            frames = np.arange(max(current.first, current.last - lead), n)
        else:
            rests = [b for b in others if b.leaves >= 0 and b.last < current.first]
            frames = np.arange(current.first, -1, -1)
        track, reached = follow(scene, current, frames, rests)
        if reached is not None:
            track = _snap(track, current, reached)
        line.lay(track, pose)
        if forward and current is anchor:
            line.matches = {int(t): m for t, m in zip(track.frames, track.matches, strict=True) if len(m)}
        if reached is not None:
            pose = compose(track.affine[-1], pose)
        elif forward and track.cue[-1] == Cue.LOST and (reached := _alike(current, rests, int(track.frames[-1]))):
            pose = compose(_register_masks(current.mask, reached.mask), pose)
            back, _ = follow(scene, reached, np.arange(reached.first, current.last, -1))
            line.lay(back, pose, only_missing=True)
        if reached is None:
            break
        line.stand_as(reached, pose)
        reached_all.append((reached, pose))
        others = [b for b in others if b is not reached]
        current = reached
    return reached_all


def _snap(track: Track, current: Anchor, rest: Anchor) -> Track:
    """Spread over a track what it is off at the end, where the silhouette it came to rest in is seen."""
    end = warp_mask(current.mask, track.affine[-1])
    if not 0.75 < rest.area / max(end.sum(), 1) < 1.33:
        return track
    fix = _register_masks(end, rest.mask)
    share = np.linspace(0.0, 1.0, len(track.affine))
    affine = [compose((1 - w) * np.eye(2, 3) + w * fix, a) for w, a in zip(share, track.affine, strict=True)]
    return replace(track, affine=np.array(affine))


def _finish(line: _Timeline, visited: list[tuple[Anchor, np.ndarray]]) -> ObjectTrack:
    """Take the largest silhouette of the places where the object stood, the least hidden one, as its template.

    One that is much larger or more ragged than the first holds something else as well.
    """
    first = visited[0][0]
    whole = [v for v in visited if v[0].area <= 1.6 * first.area and v[0].solidity >= 0.95 * first.solidity]
    best, to_best = max(whole, key=lambda v: v[0].area)
    from_best = _inverse(to_best)
    affine = np.stack([compose(a, from_best) for a in line.affine])
    affine[line.cue == Cue.LOST] = np.nan
    matches = line.matches if best is visited[0][0] else {}
    return ObjectTrack(
        best.mask, best.image, best.last, affine, line.cue, line.quality, best.histogram, matches, best.seen
    )


def _inverse(affine: np.ndarray) -> np.ndarray:
    inverse = np.linalg.inv(affine[:, :2])
    return np.column_stack([inverse, -inverse @ affine[:, 2]])


def _alike(current: Anchor, rests: list[Anchor], lost_at: int) -> Anchor | None:
    """The next anchor, after the object was lost, that has its colours and size."""
    for b in sorted(rests, key=lambda b: b.first):
        like = similarity(current.histogram, b.histogram) > 0.7 and 0.6 < b.area / current.area < 1.6
        if like and b.first >= current.last and b.last > lost_at:
            return b
    return None


def _register_masks(a: Bool[np.ndarray, "H W"], b: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "2 3"]:
    """Similarity (no rotation) that lays silhouette a over silhouette b by centre and area."""
    centre = [np.array([np.nonzero(m)[1].mean(), np.nonzero(m)[0].mean()]) for m in (a, b)]
    scale = float(np.sqrt(b.sum() / a.sum()))
    return np.column_stack([np.eye(2) * scale, centre[1] - scale * centre[0]])

"""Interaction: states, grasps and contacts of matched objects; what is missing or false counts as wrong."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from hoiset.eval import definitions as d
from hoiset.eval.metrics import CONTACT_M
from hoiset.eval.object_matching import ObjectMatch
from hoiset.eval.reading import View
from hoiset.eval.tally import add, share_of
from hoiset.shards.schema import ObjectState

N_STATES = len(ObjectState)
TOLERANCES_S = {"grasp_f1_100ms": 0.1, "grasp_f1_250ms": 0.25}
_FAR_M = 1e3
_HANDS = {"left": ("left",), "right": ("right",), "both": ("left", "right")}


@dataclass(frozen=True)
class Grasped:
    """A hand holds an object, in one sample.

    Attributes:
        what: True slot of the object, or a name of its own where it is no true object.
        hand: ``left`` or ``right``.
        start_s: s in the file.
        end_s: s in the file.
        sample: Number of the sample.
    """

    what: int | str
    hand: str
    start_s: float
    end_s: float
    sample: int = 0


def judged_pairs(truth: View, match: ObjectMatch, manipulated: Bool[np.ndarray, "O"]) -> list[tuple[int, int]]:
    """(true slot, predicted slot) of everything that counts: -1 for a missed object, and for the truth of a false one.

    An object that nobody moves in these frames and that was not reconstructed does not count.
    """
    needed = truth.moved() & manipulated
    pairs = [(o, int(p)) for o, p in enumerate(match.slot) if p >= 0 or needed[o]]
    return pairs + [(-1, p) for p in match.false()]


def interaction_sums(truth: View, sample: View, pairs: list[tuple[int, int]]) -> dict[str, np.ndarray]:
    """Sums of states and contacts; both views at the sample's frame times, pairs of :func:`judged_pairs`."""
    w, n = sample.period_s, len(sample.time)
    confusion = np.zeros((N_STATES, N_STATES))
    counts = d.Counts(0, 0, 0)
    for o, p in pairs:
        pred = sample.state[:, p] if p >= 0 else np.zeros(n, int)
        true = truth.state[:, o] if o >= 0 else np.zeros(n, int)
        confusion += d.confusion(pred, true, N_STATES)
        near = sample.contact[:, :, p] if p >= 0 else np.full((n, 2), np.nan)
        nearby = truth.contact[:, :, o] if o >= 0 else np.where(truth.hand, _FAR_M, np.nan)
        counts += d.contact_counts(near, nearby, CONTACT_M)
    return add(
        _state_sums(confusion, w),
        {
            "contact_precision": share_of(counts.tp, counts.tp + counts.fp, w),
            "contact_recall": share_of(counts.tp, counts.tp + counts.fn, w),
        },
    )


def missed_interaction(truth: View, manipulated: Bool[np.ndarray, "O"]) -> dict[str, np.ndarray]:
    """Sums of true frames that no sample covers."""
    confusion = np.zeros((N_STATES, N_STATES))
    touched = 0
    for o in np.flatnonzero(manipulated):
        confusion[:, 0] += np.bincount(truth.state[:, o], minlength=N_STATES)
        touched += int((truth.contact[:, :, o] <= CONTACT_M).sum())
    w = truth.period_s
    return _state_sums(confusion, w) | {"contact_recall": share_of(0.0, touched, w)}


def _state_sums(confusion: np.ndarray, w: float) -> dict[str, np.ndarray]:
    confusion = confusion.copy()
    confusion[0, 0] = 0.0
    return {
        "state_macro_f1": np.append(w * confusion.ravel(), confusion.sum()),
        "state_accuracy": share_of(np.trace(confusion), confusion.sum(), w),
    }


def true_grasps(truth: View) -> list[Grasped]:
    """Grasps of a truth."""
    return [
        Grasped(int(g["object"]), hand, truth.start_s + g["start_s"], truth.start_s + g["end_s"])
        for g in truth.clip["grasps"]
        for hand in _HANDS[g["hand"]]
    ]


def predicted_grasps(sample: View, match: ObjectMatch, number: int) -> list[Grasped]:
    """Grasps of a sample, of the true objects that its own are matched to."""
    slot = {int(p): o for o, p in enumerate(match.slot) if p >= 0}
    return [
        Grasped(
            slot.get(g["object"], f"false-{number}-{g['object']}"),
            hand,
            sample.start_s + g["start_s"],
            sample.start_s + g["end_s"],
            number,
        )
        for g in sample.clip["grasps"]
        for hand in _HANDS[g["hand"]]
    ]


def grasp_sums(pred: list[Grasped], true: list[Grasped], period_s: float) -> dict[str, np.ndarray]:
    """Sums of the F1 of grasps of a true clip.

    A grasp that goes on from one sample into the next one is one grasp.

    Args:
        pred: Of all samples of the clip.
        true: Of the clip.
        period_s: Longest time between frames: a grasp that starts within 1.5 of it in another sample goes on.
    """
    spans = {"pred": _spans(_joined(pred, 1.5 * period_s)), "true": _spans(true)}
    out = {}
    for name, tolerance_s in TOLERANCES_S.items():
        counts = d.Counts(0, 0, 0)
        for what in {**spans["pred"], **spans["true"]}:
            counts += d.segment_counts(spans["pred"][what], spans["true"][what], tolerance_s)
        out[name] = np.array([counts.tp, counts.fp, counts.fn, len(pred) + len(true)], float)
    return out


def _joined(grasps: list[Grasped], gap_s: float) -> list[Grasped]:
    out: list[Grasped] = []
    for g in sorted(grasps, key=lambda g: (str(g.what), g.hand, g.start_s)):
        last = out[-1] if out else None
        same = last is not None and (last.what, last.hand) == (g.what, g.hand) and last.sample != g.sample
        if last is not None and same and g.start_s - last.end_s <= gap_s:
            out[-1] = Grasped(g.what, g.hand, last.start_s, max(last.end_s, g.end_s), g.sample)
        else:
            out.append(g)
    return out


def _spans(grasps: list[Grasped]) -> dict[tuple[int | str, str], np.ndarray]:
    rows: dict[tuple[int | str, str], list[tuple[float, float]]] = defaultdict(list)
    for g in grasps:
        rows[g.what, g.hand].append((g.start_s, g.end_s))
    out: dict[tuple[int | str, str], np.ndarray] = defaultdict(lambda: np.zeros((0, 2)))
    out.update({key: np.array(value) for key, value in rows.items()})
    return out

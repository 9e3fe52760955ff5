"""One true clip against the samples that a build made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hoiset.eval.hands import hand_sums, match_hands, missed_hands
from hoiset.eval.interaction import (
    grasp_sums,
    interaction_sums,
    judged_pairs,
    missed_interaction,
    predicted_grasps,
    true_grasps,
)
from hoiset.eval.object_matching import Body, ObjectMatch, match_objects
from hoiset.eval.objects import Found, found_in, missed_objects, object_sums, recall_sums
from hoiset.eval.reading import View
from hoiset.eval.resample import align_start, covered, resample, take
from hoiset.eval.tally import add, share_of


@dataclass(frozen=True)
class Part:
    """What one sample adds to a clip.

    Attributes:
        key: Of the sample.
        score: Its ``quality.score``; NaN where it has none.
        sums: Of every figure but those that only a whole clip has.
    """

    key: str
    score: float
    sums: dict[str, np.ndarray]


@dataclass(frozen=True)
class ClipResult:
    """One true clip.

    Attributes:
        sums: Of every figure.
        parts: Its samples.
        counts: Objects and frames, for the clip's row.
    """

    sums: dict[str, np.ndarray]
    parts: tuple[Part, ...]
    counts: dict[str, int]


def judge_clip(truth: View, samples: Sequence[View]) -> ClipResult:
    """Judge the samples of a true clip; what of the truth no sample covers is missed.

    Args:
        truth: The clip.
        samples: Of the same video, in time order; those that share no frame with the truth are left out.
    """
    true, manipulated = [Body(mesh) for mesh in truth.meshes], truth.moved()
    pairs = [resample(truth, align_start(sample, truth)) for sample in samples]
    pairs = [pair for pair in pairs if len(pair[1].time)]
    parts, found, grasps, matches = [], [], [], []
    for number, (here, sample) in enumerate(pairs):
        sums, match = _judge_part(here, sample, true, manipulated)
        matches.append(match)
        found.append(found_in(here, match, manipulated))
        grasps += predicted_grasps(sample, match, number)
        score = sample.clip["quality"]["score"]
        parts.append(Part(sample.clip["key"], np.nan if score is None else float(score), sums))
    inside = covered(truth, [sample for _, sample in pairs])
    missed = take(truth, ~inside)
    whole = {
        "clip_recall": share_of(bool(pairs), 1.0),
        "clip_coverage": share_of(inside, np.ones(len(inside)), truth.period_s),
        **recall_sums(found, manipulated),
        **grasp_sums(grasps, true_grasps(truth), max([truth.period_s, *(s.period_s for _, s in pairs)])),
    }
    lost = [missed_hands(missed), missed_objects(missed, manipulated), missed_interaction(missed, manipulated)]
    counts = _object_counts(manipulated, matches, found) | {
        "true_frames": len(truth.time),
        "missed_frames": int((~inside).sum()),
        "frames_outside_truth": sum(len(s.time) for s in samples) - sum(len(s.time) for _, s in pairs),
    }
    return ClipResult(add(whole, *(part.sums for part in parts), *lost), tuple(parts), counts)


def _judge_part(
    truth: View, sample: View, true: list[Body], manipulated: np.ndarray
) -> tuple[dict[str, np.ndarray], ObjectMatch]:
    pred = [Body(mesh) for mesh in sample.meshes]
    match = match_objects(truth, sample, true, pred)
    sums = add(
        hand_sums(truth, sample, match_hands(truth, sample)),
        object_sums(truth, sample, true, pred, match, manipulated),
        interaction_sums(truth, sample, judged_pairs(truth, match, manipulated)),
    )
    return sums, match


def _object_counts(manipulated: np.ndarray, matches: Sequence[ObjectMatch], found: Sequence[Found]) -> dict[str, int]:
    anywhere = np.any([f.found for f in found], axis=0) if found else np.zeros(len(manipulated), bool)
    return {
        "manipulated_objects": int(manipulated.sum()),
        "bystanders": int((~manipulated).sum()),
        "bystanders_reconstructed": int((anywhere & ~manipulated).sum()),
        "predicted_objects": sum(m.iou.shape[2] for m in matches),
        "false_objects": sum(len(m.false()) for m in matches),
    }

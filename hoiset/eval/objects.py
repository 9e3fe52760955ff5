"""Objects: found or not, where, how turned, what shape.

**Convention:** both views at the same frame times. Errors are measured on objects that are manipulated somewhere in the
true clip; one that only stands by need not be reconstructed, and is not false when it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hoiset.eval import definitions as d
from hoiset.eval.object_matching import Body, ObjectMatch
from hoiset.eval.reading import View
from hoiset.eval.tally import add, mean_of, share_of

_ADD_MAX_M = 0.1


@dataclass(frozen=True)
class Found:
    """How much of each true object's manipulation one sample covers, and whether it has the object.

    Attributes:
        required_s: (O,) time in which the object is there in a sample in which it is moved, s.
        found: (O,) whether a predicted object is matched to it.
    """

    required_s: Float[np.ndarray, "O"]
    found: Bool[np.ndarray, "O"]


def object_sums(
    truth: View,
    sample: View,
    true: list[Body],
    pred: list[Body],
    match: ObjectMatch,
    manipulated: Bool[np.ndarray, "O"],
) -> dict[str, np.ndarray]:
    """Sums of every figure of objects but their recall.

    Args:
        truth: At the sample's frame times.
        sample: What is judged.
        true: The true objects.
        pred: The sample's objects.
        match: Which is which.
        manipulated: True objects that are manipulated somewhere in the true clip.
    """
    w = sample.period_s
    required = truth.there & (truth.moved() & manipulated)
    held = np.zeros_like(required)
    sums: list[dict[str, np.ndarray]] = []
    for o in np.flatnonzero(match.found()):
        p = int(match.slot[o])
        held[:, o] = required[:, o] & sample.there[:, p]
        if manipulated[o]:
            sums.append({"object_mask_iou": mean_of(match.iou[:, o, p])})
            sums.append(_pose_sums(truth.pose[:, o], sample.pose[:, p], sample.time, true[o], pred[p], w))
    matched = np.ones(len(pred))
    matched[match.false()] = 0.0
    return add(
        *sums,
        {
            "object_time_recall": share_of(held, required, w),
            "object_precision": share_of(matched, np.ones(len(pred))),
        },
    )


def found_in(truth: View, match: ObjectMatch, manipulated: Bool[np.ndarray, "O"]) -> Found:
    """See :class:`Found`."""
    required = truth.there & (truth.moved() & manipulated)
    return Found(required.sum(0) * truth.period_s, match.found())


def recall_sums(parts: list[Found], manipulated: Bool[np.ndarray, "O"]) -> dict[str, np.ndarray]:
    """Sums of recall over the samples of a true clip.

    Each manipulated object counts 1; one that is moved in several samples counts in each for its share of the time. An
    object that is moved in no sample's time is missed.
    """
    zero = np.zeros(len(manipulated))
    total = sum((part.required_s for part in parts), zero)
    found = sum((part.required_s * part.found for part in parts), zero)
    share = np.divide(found, total, out=zero.copy(), where=total > 0)
    anywhere = np.any([part.found for part in parts], axis=0) if parts else zero > 0
    by = ~manipulated
    return {
        "object_recall": share_of(share[manipulated], np.ones(int(manipulated.sum()))),
        "bystander_share": share_of(anywhere[by], np.ones(int(by.sum()))),
    }


def missed_objects(truth: View, manipulated: Bool[np.ndarray, "O"]) -> dict[str, np.ndarray]:
    """Sums of true frames that no sample covers."""
    there = truth.there & manipulated
    return {"object_time_recall": share_of(np.zeros_like(there), there, truth.period_s)}


def _pose_sums(
    T_true: Float[np.ndarray, "T 4 4"],
    T_pred: Float[np.ndarray, "T 4 4"],
    time: Float[np.ndarray, "T"],
    true: Body,
    pred: Body,
    w: float,
) -> dict[str, np.ndarray]:
    """Errors of one matched object."""
    centre_true, centre_pred = true.centres(T_true), pred.centres(T_pred)
    both = np.isfinite(centre_true).all(-1) & np.isfinite(centre_pred).all(-1)
    if not both.any():
        return {}
    R_true = np.where(both[:, None, None], T_true[:, :3, :3], np.nan)
    turn = d.align_canonical(np.where(both[:, None, None], T_pred[:, :3, :3], np.nan), R_true, true.symmetries)
    T_canonical = d.canonical_poses(T_pred[both], T_true[both], pred.centroid, true.centroid, true.symmetries)
    add_m = d.add(true.points, T_canonical, T_true[both])
    adds_m = d.adds(pred.points, T_pred[both], true.points, T_true[both])
    angle = d.rotation_error_symmetric(T_canonical[:, :3, :3], T_true[both][:, :3, :3], true.symmetries)
    in_true_frame = (pred.points - pred.centroid) @ turn + true.centroid
    return {
        "object_translation_mm": mean_of(d.translation_error(centre_pred, centre_true), w),
        "object_translation_depth_aligned_mm": mean_of(
            d.depth_aligned_translation_error(centre_pred[both], centre_true[both]), w
        ),
        "object_rotation_deg": mean_of(angle, w),
        "object_add_auc": mean_of(np.clip(1.0 - add_m / _ADD_MAX_M, 0.0, 1.0), w),
        "object_adds_auc": mean_of(np.clip(1.0 - adds_m / _ADD_MAX_M, 0.0, 1.0), w),
        "object_chamfer_mm": mean_of(np.array([d.chamfer(in_true_frame, true.points)])),
        "object_scale_error_percent": mean_of(np.array([d.scale_error(pred.size, true.size)])),
        "curve_add": _curve(add_m, w),
        "curve_adds": _curve(adds_m, w),
        **_motion_sums(np.where(both[:, None, None], T_true, np.nan), T_pred, time, true, pred, w),
        "object_ade_mm": mean_of(np.array([d.ade(centre_pred, centre_true)])),
        "object_fde_mm": mean_of(np.array([d.fde(centre_pred, centre_true)])),
        "object_dtw_mm": mean_of(np.array([d.dtw(centre_pred, centre_true)])),
        "object_rot_deg": mean_of(np.array([angle.mean()])),
    }


def _motion_sums(
    T_true: np.ndarray, T_pred: np.ndarray, time: np.ndarray, true: Body, pred: Body, w: float
) -> dict[str, np.ndarray]:
    """How far the surface travels from frame to frame, where both are there."""
    if len(time) < 2:
        return {}
    own = d.temporal_distance(pred.points, T_pred, time)
    goal = d.temporal_distance(true.points, T_true, time)
    return {
        "object_temporal_distance_mm_s": mean_of(np.where(np.isfinite(goal), own, np.nan), w),
        "object_temporal_distance_true_mm_s": mean_of(np.where(np.isfinite(own), goal, np.nan), w),
        "object_temporal_excess_mm_s": mean_of(np.abs([d.temporal_distance_excess(own, goal)])),
    }


def _curve(errors: Float[np.ndarray, "N"], w: float) -> Float[np.ndarray, "K"]:
    """Weight of the errors up to each threshold of :data:`hoiset.eval.hands.CURVE_M`, and of all."""
    from hoiset.eval.hands import CURVE_M

    return np.append(w * np.searchsorted(np.sort(errors), CURVE_M, side="right"), w * len(errors))

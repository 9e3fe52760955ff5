"""Interaction: states, grasp segments, contact, and how far two segmentations are apart in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Counts:
    """What a detector got right and wrong; sums of counts pool over clips.

    Attributes:
        tp: Found and there.
        fp: Found and not there.
        fn: There and not found.
    """

    tp: int
    fp: int
    fn: int

    def __add__(self, other: Counts) -> Counts:
        """Pooled counts."""
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """Share of what was found that is there; NaN when nothing was found."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else float("nan")

    @property
    def recall(self) -> float:
        """Share of what is there that was found; NaN when nothing is there."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn); NaN when there is nothing to find or find."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else float("nan")


def confusion(
    pred: Int[np.ndarray, "*B"], true: Int[np.ndarray, "*B"], n_classes: int
) -> Int[np.ndarray, "n_classes n_classes"]:
    """Counts with rows = truth and columns = prediction, as scikit-learn lays them out.

    Raises:
        ValueError: Shapes differ or a code is not in ``0 .. n_classes - 1``.
    """
    pred, true = np.asarray(pred).astype(np.int64).ravel(), np.asarray(true).astype(np.int64).ravel()
    if pred.shape != true.shape:
        raise ValueError(f"found {len(pred)} predictions and {len(true)} labels, expected as many")
    codes = np.concatenate([pred, true])
    if len(codes) and (codes.min() < 0 or codes.max() >= n_classes):
        raise ValueError(f"found codes {codes.min()}..{codes.max()}, expected 0..{n_classes - 1}")
    return np.bincount(true * n_classes + pred, minlength=n_classes**2).reshape(n_classes, n_classes)


def class_f1(matrix: Int[np.ndarray, "C C"]) -> Float[np.ndarray, "C"]:
    """F1 of every class of a confusion matrix; NaN for a class that neither the truth nor the prediction has."""
    matrix = np.asarray(matrix)
    hit = np.diag(matrix).astype(np.float64)
    total = matrix.sum(0) + matrix.sum(1)
    return np.divide(2.0 * hit, total, out=np.full(len(hit), np.nan), where=total > 0)


def macro_f1(matrix: Int[np.ndarray, "C C"]) -> float:
    """Unweighted mean F1 over the classes that truth or prediction has (scikit-learn's ``average="macro"``).

    Frame-wise macro F1 of states follows the segmentation benchmarks (e.g. GTEA/Breakfast; Sokolova and Lapalme 2009).
    """
    scores = class_f1(matrix)
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")


def segments_of(active: Bool[np.ndarray, "T"], time: Float[np.ndarray, "T"]) -> Float[np.ndarray, "S 2"]:
    """Start and end (s) of every run of true frames: the times of its first and last frame, as ``clip.json`` has it."""
    edges = np.diff(np.concatenate([[0], np.asarray(active, bool).astype(np.int8), [0]]))
    time = np.asarray(time, np.float64)
    return np.stack([time[np.flatnonzero(edges == 1)], time[np.flatnonzero(edges == -1) - 1]], -1)


def match_segments(
    pred: Float[np.ndarray, "P 2"], true: Float[np.ndarray, "S 2"], tolerance_s: float
) -> Int[np.ndarray, "K 2"]:
    """Pairs (prediction, truth) whose start and whose end both differ by at most the tolerance.

    One to one, as many pairs as possible, and of those the ones with the least sum of differences.
    """
    from scipy.optimize import linear_sum_assignment

    pred, true = _segments(pred), _segments(true)
    apart = np.abs(pred[:, None] - true[None]).max(-1)
    # 1e-9: segment times are differences of floats, and a limit of 0.25 s must include 0.25 s.
    fits = apart <= tolerance_s + 1e-9
    distance = np.abs(pred[:, None] - true[None]).sum(-1)
    # A pair that fits always beats one that does not, so the assignment has as many fitting pairs as there can be.
    penalty = (2.0 * tolerance_s + 1.0) * (min(fits.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(fits, distance, penalty))
    kept = fits[rows, columns]
    return np.stack([rows[kept], columns[kept]], -1)


def segment_counts(pred: Float[np.ndarray, "P 2"], true: Float[np.ndarray, "S 2"], tolerance_s: float) -> Counts:
    """Segments found, too many and missed, at a tolerance on both borders (:func:`match_segments`)."""
    n = len(match_segments(pred, true, tolerance_s))
    return Counts(n, len(_segments(pred)) - n, len(_segments(true)) - n)


def segment_f1(pred: Float[np.ndarray, "P 2"], true: Float[np.ndarray, "S 2"], tolerance_s: float) -> float:
    """F1 of segments whose borders must both be right to within ``tolerance_s``; NaN when neither side has any.

    Border tolerance as for events in sound (Mesaros et al., "Metrics for polyphonic sound event detection", 2016) and
    notes in music (mir_eval); unlike the F1@k of Lea et al. (CVPR 2017), which thresholds overlap, it does not forgive
    long segments more than short ones.
    """
    return segment_counts(pred, true, tolerance_s).f1


def temporal_iou(pred: Float[np.ndarray, "P 2"], true: Float[np.ndarray, "S 2"]) -> Float[np.ndarray, "P S"]:
    """Overlap over union of every pair of segments (ActivityNet, CVPR 2015); 0 for two segments without length."""
    pred, true = _segments(pred), _segments(true)
    overlap = np.minimum(pred[:, None, 1], true[None, :, 1]) - np.maximum(pred[:, None, 0], true[None, :, 0])
    overlap = np.maximum(overlap, 0.0)
    union = np.ptp(pred, axis=-1)[:, None] + np.ptp(true, axis=-1)[None] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def border_errors(pred: Float[np.ndarray, "P 2"], true: Float[np.ndarray, "S 2"]) -> Float[np.ndarray, "K 2"]:
    """Signed error (s) of start and end, prediction minus truth, of segments that overlap.

    Paired one to one by the greatest sum of temporal IoU; positive means late. Missed segments have no border: read
    this beside the recall of :func:`segment_counts`.
    """
    from scipy.optimize import linear_sum_assignment

    pred, true = _segments(pred), _segments(true)
    iou = temporal_iou(pred, true)
    rows, columns = linear_sum_assignment(-iou)
    kept = iou[rows, columns] > 0
    return pred[rows[kept]] - true[columns[kept]]


def contact_counts(
    pred_m: Float[np.ndarray, "*B"], true_m: Float[np.ndarray, "*B"], threshold_m: float = 0.01
) -> Counts:
    """Contact frames right and wrong, where contact is a distance of at most the threshold.

    Frames in which the truth is absent (NaN) are left out. A prediction that is absent says "no contact": a hand or an
    object that was not found is a miss. Distances to a surface are unsigned, so a penetrating finger of more than the
    threshold counts as no contact.
    """
    pred_m, true_m = np.asarray(pred_m, np.float64), np.asarray(true_m, np.float64)
    known = np.isfinite(true_m)
    touches, touched = (pred_m <= threshold_m)[known], (true_m <= threshold_m)[known]
    return Counts(int((touches & touched).sum()), int((touches & ~touched).sum()), int((~touches & touched).sum()))


def contact_precision_recall(
    pred_m: Float[np.ndarray, "*B"], true_m: Float[np.ndarray, "*B"], threshold_m: float = 0.01
) -> tuple[float, float]:
    """Precision and recall of contact within ``threshold_m`` (:func:`contact_counts`); NaN where undefined."""
    counts = contact_counts(pred_m, true_m, threshold_m)
    return counts.precision, counts.recall


def _segments(segments: Float[np.ndarray, "S 2"] | Sequence[tuple[float, float]]) -> Float[np.ndarray, "S 2"]:
    """As an array (S, 2), also when there is none."""
    return np.asarray(segments, np.float64).reshape(-1, 2)

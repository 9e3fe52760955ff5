"""The figures that an evaluation reports: name, unit, direction and meaning of each stand here and nowhere else.

Table, ``eval.json``, docs and :func:`hoiset.eval.compare` are made from :data:`METRICS`.

**Convention:** figures are pooled over time, not over frames: a frame weighs as long as it lasts, so that a clip of 60
frames a second counts no more than one of 15. A figure is a function of sums (:func:`value_of`), so that clips are
pooled by adding their sums up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from hoiset.eval.definitions.interaction import class_f1

Form = Literal["mean", "f1", "macro_f1"]
Better = Literal["higher", "lower", "neither"]

HAND_MATCH_SHARE = 0.5
"""A predicted hand is a true one when its joints lie, on average, within this share of the true hand's extent in the
image (the longer side of its joints' box)."""
MASK_MATCH_IOU = 0.25
"""A predicted object may be a true one when their outlines overlap at least so much, ..."""
CENTRE_MATCH_SHARE = 0.5
"""... or when their centres are, in the median frame, within this share of the true object's diameter."""
CONTACT_M = 0.01
"""A hand touches an object when a fingertip is within this distance of its surface, m."""
SPAN_IOU = 0.5
"""A kept span is a true one when they overlap at least so much."""


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes:
        name: In ``eval.json``; ends in the unit where it has one.
        group: Heading in the table.
        unit: Of the reported value; ``""`` for a share from 0 to 1.
        better: Which direction is better; ``neither`` for what only describes.
        meaning: One line.
        scale: From SI to ``unit``.
        form: How it is made from sums: ``mean`` of (weighted sum, weight), ``f1`` of (true positive, false positive,
            false negative), ``macro_f1`` of a 6 x 6 confusion.
    """

    name: str
    group: str
    unit: str
    better: Better
    meaning: str
    scale: float = 1.0
    form: Form = "mean"

    @property
    def width(self) -> int:
        """How many sums it is made from, without the count of items."""
        return {"mean": 2, "f1": 3, "macro_f1": 36}[self.form]


def _mm(name: str, group: str, meaning: str) -> Metric:
    return Metric(f"{name}_mm", group, "mm", "lower", meaning, 1e3)


def _deg(name: str, group: str, meaning: str) -> Metric:
    return Metric(f"{name}_deg", group, "deg", "lower", meaning, 180.0 / np.pi)


def _share(name: str, group: str, meaning: str, better: Better = "higher", form: Form = "mean") -> Metric:
    return Metric(name, group, "", better, meaning, form=form)


METRICS: tuple[Metric, ...] = (
    _share("screen_time_precision", "screening", "share of the kept time that was to be kept"),
    _share("screen_time_recall", "screening", "share of the time to be kept that was kept"),
    _share("screen_span_precision", "screening", "kept spans that overlap one to be kept by IoU >= 0.5"),
    _share("screen_span_recall", "screening", "spans to be kept that a kept one overlaps by IoU >= 0.5"),
    _share("screen_video_precision", "screening", "kept videos that were to be kept"),
    _share("screen_video_recall", "screening", "videos to be kept that were kept"),
    _share("screen_gate_accuracy", "screening", "videos kept, or stopped by a gate, as they were to be"),
    _share("clip_recall", "coverage", "true clips of which any part became a sample"),
    _share("clip_coverage", "coverage", "share of the true clips' time that is inside a sample"),
    _share(
        "hand_recall",
        "hands",
        "share of the true hands' time in which a hand is found at their place, whichever its side",
    ),
    _share("hand_recall_left", "hands", "hand_recall of true left hands"),
    _share("hand_recall_right", "hands", "hand_recall of true right hands"),
    _share("hand_precision", "hands", "share of the predicted hands' time in which they are a true hand"),
    _share("handedness_accuracy", "hands", "share of the found hands' time in which left and right are right"),
    _mm("hand_mpjpe", "hands", "mean error of the 21 joints of found hands, camera frame"),
    _mm("hand_root_relative_mpjpe", "hands", "the same, both wrists moved to the origin"),
    _mm("hand_scale_aligned_mpjpe", "hands", "the same, and one scale fitted a frame"),
    _mm("hand_pa_mpjpe", "hands", "the same after the best similarity (Procrustes) a frame"),
    _share("hand_pck_20mm", "hands", "share of joints with a root-relative error of at most 20 mm"),
    _share("hand_auc_50mm", "hands", "area under the PCK curve of the root-relative error, 0 to 50 mm"),
    _share("hand_pa_auc_50mm", "hands", "area under the PCK curve of the Procrustes-aligned error, 0 to 50 mm"),
    _mm("wrist_error", "hands", "distance of the wrists of found hands, camera frame"),
    Metric(
        "wrist_depth_error_percent", "hands", "%", "lower", "that distance as a share of the true wrist's depth", 100.0
    ),
    _deg("wrist_rotation", "hands", "rotation between the wrist frames of hands found on the right side"),
    Metric("hand_acceleration_error_m_s2", "hands", "m/s^2", "lower", "error of the joints' acceleration"),
    Metric(
        "hand_jitter_m_s3",
        "hands",
        "m/s^3",
        "neither",
        "jerk of the predicted joints; compare with hand_jitter_true_m_s3",
    ),
    Metric("hand_jitter_true_m_s3", "hands", "m/s^3", "neither", "jerk of the true joints at the same frames"),
    _share("object_recall", "objects", "manipulated objects that a predicted one is matched to"),
    _share("object_time_recall", "objects", "share of the manipulated objects' time in which a matched one has a pose"),
    _share("object_precision", "objects", "predicted objects that are a true one, manipulated or not"),
    _share("bystander_share", "objects", "true objects that nobody moves and that were reconstructed", "neither"),
    _share("object_mask_iou", "objects", "overlap of the projected meshes' outlines, nothing in front of them"),
    _mm("object_translation", "objects", "distance of the centres of matched manipulated objects, camera frame"),
    _mm("object_translation_depth_aligned", "objects", "the same after one scale of depth a clip"),
    _deg("object_rotation", "objects", "rotation error after one constant turn a clip, symmetries apart"),
    _share("object_add_auc", "objects", "area under the curve of ADD, 0 to 0.1 m"),
    _share("object_adds_auc", "objects", "area under the curve of ADD-S, 0 to 0.1 m"),
    _mm("object_chamfer", "objects", "Chamfer distance of the meshes, centres and mean rotation aligned"),
    Metric("object_scale_error_percent", "objects", "%", "lower", "error of the mesh's size", 100.0),
    Metric(
        "object_temporal_distance_mm_s",
        "objects",
        "mm/s",
        "neither",
        "speed of the predicted surface from frame to frame",
        1e3,
    ),
    Metric(
        "object_temporal_distance_true_mm_s",
        "objects",
        "mm/s",
        "neither",
        "speed of the true surface at the same frames",
        1e3,
    ),
    Metric(
        "object_temporal_excess_mm_s",
        "objects",
        "mm/s",
        "lower",
        "how far the two means are apart, mean over objects",
        1e3,
    ),
    _share(
        "state_macro_f1",
        "interaction",
        "mean F1 of the object states, frame by frame; missed and false objects count as wrong",
        form="macro_f1",
    ),
    _share(
        "state_accuracy",
        "interaction",
        "share of the objects' time in which their state is right; missed and false objects count as wrong",
    ),
    _share("grasp_f1_100ms", "interaction", "grasps whose hand, object, start and end are right to 0.1 s", form="f1"),
    _share("grasp_f1_250ms", "interaction", "grasps whose hand, object, start and end are right to 0.25 s", form="f1"),
    _share("contact_precision", "interaction", "share of the predicted contacts (fingertip within 1 cm) that are true"),
    _share("contact_recall", "interaction", "share of the true contacts that are predicted"),
    _mm("wrist_ade", "trajectories", "mean distance along a wrist's way"),
    _mm("wrist_fde", "trajectories", "distance at its end"),
    _mm("wrist_dtw", "trajectories", "dynamic time warping by the path's length"),
    _deg("wrist_rot", "trajectories", "mean rotation error along it"),
    _mm("object_ade", "trajectories", "mean distance along a manipulated object's way"),
    _mm("object_fde", "trajectories", "distance at its end"),
    _mm("object_dtw", "trajectories", "dynamic time warping by the path's length"),
    _deg("object_rot", "trajectories", "mean rotation error along it, aligned as object_rotation_deg"),
)


def metric(name: str) -> Metric:
    """The metric of a name.

    Raises:
        KeyError: There is none.
    """
    return next(m for m in METRICS if m.name == name)


def groups() -> tuple[str, ...]:
    """Headings in the order of the table."""
    return tuple(dict.fromkeys(m.group for m in METRICS))


def value_of(form: Form, sums: Float[np.ndarray, "*B K"]) -> Float[np.ndarray, "*B"]:
    """A figure from its sums, in SI units; NaN where there is nothing to judge.

    Args:
        form: See :class:`Metric`.
        sums: (..., K) its sums; whatever follows the first ones that the form needs is not looked at.
    """
    sums = np.asarray(sums, np.float64)
    if form == "mean":
        return _ratio(sums[..., 0], sums[..., 1])
    if form == "f1":
        tp, fp, fn = sums[..., 0], sums[..., 1], sums[..., 2]
        return _ratio(2 * tp, 2 * tp + fp + fn)
    flat = sums[..., :36].reshape(-1, 6, 6)
    return np.array([_state_macro_f1(matrix) for matrix in flat]).reshape(sums.shape[:-1])


def _state_macro_f1(matrix: Float[np.ndarray, "6 6"]) -> float:
    """:func:`hoiset.eval.definitions.interaction.macro_f1` of the states alone: ``absent`` is none of them."""
    scores = class_f1(matrix)[1:]
    return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=np.asarray(below) > 0)


def metrics_table() -> str:
    """All figures as a Markdown table."""
    lines = ["| figure | unit | better | meaning |", "|---|---|---|---|"]
    lines += [f"| `{m.name}` | {m.unit or '0..1'} | {m.better} | {m.meaning} |" for m in METRICS]
    return "\n".join(lines) + "\n"

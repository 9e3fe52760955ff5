"""Hands: joint errors under four alignments, PCK and its area, wrist rotation, acceleration, jitter.

**Convention:** joints (N, 21, 3) in m, camera frame, one hand per row; float64 results; NaN in, NaN out for that row.
Time in s, frames need not be evenly spaced.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hoiset.geometry import angle_between

WRIST = 0


def joint_distances(pred: Float[np.ndarray, "*B J 3"], true: Float[np.ndarray, "*B J 3"]) -> Float[np.ndarray, "*B J"]:
    """Euclidean distance of every joint, m."""
    return np.asarray(np.linalg.norm(np.asarray(pred, np.float64) - np.asarray(true, np.float64), axis=-1))


def mpjpe(pred: Float[np.ndarray, "N J 3"], true: Float[np.ndarray, "N J 3"]) -> Float[np.ndarray, "N"]:
    """Mean per-joint position error without any alignment, m (Ionescu et al., Human3.6M, PAMI 2014)."""
    return joint_distances(pred, true).mean(-1)


def root_relative(joints: Float[np.ndarray, "*B J 3"]) -> Float[np.ndarray, "*B J 3"]:
    """Joints with the wrist moved to the origin."""
    joints = np.asarray(joints, np.float64)
    return joints - joints[..., WRIST : WRIST + 1, :]


def root_relative_mpjpe(pred: Float[np.ndarray, "N J 3"], true: Float[np.ndarray, "N J 3"]) -> Float[np.ndarray, "N"]:
    """MPJPE after both wrists are moved to the origin, m (Moon et al., InterHand2.6M, ECCV 2020).

    The wrist itself counts with its error of 0, as it does in that benchmark: the mean is over all joints.
    """
    return mpjpe(root_relative(pred), root_relative(true))


def scale_aligned(pred: Float[np.ndarray, "N J 3"], true: Float[np.ndarray, "N J 3"]) -> Float[np.ndarray, "N J 3"]:
    """Root-relative prediction times the one scale per row that is best in the least-squares sense."""
    p, t = root_relative(pred), root_relative(true)
    scale = _safe_ratio((p * t).sum((-1, -2)), (p * p).sum((-1, -2)))
    return p * scale[..., None, None]


def scale_aligned_mpjpe(pred: Float[np.ndarray, "N J 3"], true: Float[np.ndarray, "N J 3"]) -> Float[np.ndarray, "N"]:
    """Root-relative MPJPE after one least-squares scale per hand and frame, m.

    What is left once the unknown size of the hand (equivalently, of its depth) is taken out but not its orientation
    (Zimmermann and Brox, ICCV 2017, give the scale as known; FreiHAND, ICCV 2019, solves for it).
    """
    return mpjpe(scale_aligned(pred, true), root_relative(true))


def procrustes_aligned(
    pred: Float[np.ndarray, "N J 3"], true: Float[np.ndarray, "N J 3"]
) -> Float[np.ndarray, "N J 3"]:
    """Prediction moved onto the truth by the similarity (rotation, scale, translation) of least squares, per row.

    No reflection. Umeyama, "Least-squares estimation of transformation parameters", PAMI 1991.
    """
    pred, true = np.asarray(pred, np.float64), np.asarray(true, np.float64)
    out = np.full(np.broadcast_shapes(pred.shape, true.shape), np.nan)
    ok = np.isfinite(pred).all((-1, -2)) & np.isfinite(true).all((-1, -2))
    if not ok.any():
        return out
    p_mean, t_mean = pred[ok].mean(-2, keepdims=True), true[ok].mean(-2, keepdims=True)
    p, t = pred[ok] - p_mean, true[ok] - t_mean
    U, s, Vt = np.linalg.svd(np.swapaxes(t, -1, -2) @ p)
    sign = np.ones_like(s)
    sign[..., -1] = np.sign(np.linalg.det(U @ Vt))
    R = (U * sign[..., None, :]) @ Vt
    scale = _safe_ratio((s * sign).sum(-1), (p * p).sum((-1, -2)))
    out[ok] = scale[..., None, None] * (p @ np.swapaxes(R, -1, -2)) + t_mean
    return out


def pa_mpjpe(pred: Float[np.ndarray, "N J 3"], true: Float[np.ndarray, "N J 3"]) -> Float[np.ndarray, "N"]:
    """MPJPE after Procrustes alignment (rotation, scale, translation) per hand and frame, m (FreiHAND, ICCV 2019)."""
    return mpjpe(procrustes_aligned(pred, true), true)


def pck(errors: Float[np.ndarray, "*B"], thresholds: Float[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
    """Share of joints whose error is at most each threshold; NaN errors (absent) are left out.

    Args:
        errors: Joint errors, m.
        thresholds: m.

    Returns:
        Shares 0..1; NaN where there is no error at all.
    """
    errors = np.sort(np.asarray(errors, np.float64)[np.isfinite(errors)])
    if not len(errors):
        return np.full(len(np.atleast_1d(thresholds)), np.nan)
    return np.searchsorted(errors, np.atleast_1d(thresholds), side="right") / len(errors)


def auc(errors: Float[np.ndarray, "*B"], max_m: float = 0.05) -> float:
    """Area under the PCK curve from 0 to ``max_m``, as a share 0..1; exact, not sampled.

    The mean over errors of ``max(0, 1 - error / max_m)`` is that area: each error lifts the curve from itself on. The
    benchmarks (Zimmermann and Brox, ICCV 2017: 20-50 mm; FreiHAND, ICCV 2019: 0-50 mm) take 100 samples and the
    trapezoid rule, which differs by less than one sample's width. The same area over 0..0.1 m of ADD or ADD-S
    is the AUC of PoseCNN (Xiang et al., RSS 2018); it counts errors strictly, which is the same area.
    """
    errors = np.asarray(errors, np.float64)
    errors = errors[np.isfinite(errors)]
    return float(np.clip(1.0 - errors / max_m, 0.0, 1.0).mean()) if len(errors) else float("nan")


def rotation_error(R_pred: Float[np.ndarray, "*B 3 3"], R_true: Float[np.ndarray, "*B 3 3"]) -> Float[np.ndarray, "*B"]:
    """Geodesic angle between rotations, rad (Huynh, "Metrics for 3D rotations", JMIV 2009, metric 6)."""
    R_pred, R_true = np.asarray(R_pred, np.float64), np.asarray(R_true, np.float64)
    angle = angle_between(R_pred, R_true)
    return np.where(np.isfinite(R_pred).all((-1, -2)) & np.isfinite(R_true).all((-1, -2)), angle, np.nan)


def acceleration(joints: Float[np.ndarray, "T J 3"], time: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T-2 J 3"]:
    """Second divided difference of positions over three neighbouring frames, m/s^2; right for uneven frames too."""
    joints, time = np.asarray(joints, np.float64), np.asarray(time, np.float64)
    velocity = np.diff(joints, axis=0) / np.diff(time)[:, None, None]
    return np.diff(velocity, axis=0) / (0.5 * (time[2:] - time[:-2]))[:, None, None]


def acceleration_error(
    pred: Float[np.ndarray, "T J 3"], true: Float[np.ndarray, "T J 3"], time: Float[np.ndarray, "T"]
) -> Float[np.ndarray, "T-2"]:
    """Mean over joints of the distance between predicted and true acceleration, m/s^2.

    Kanazawa et al., "Learning 3D human dynamics from video", CVPR 2019; there per frame squared, here per second
    squared, so that it holds at any frame rate. NaN where any of the three frames is absent.
    """
    return np.asarray(np.linalg.norm(acceleration(pred, time) - acceleration(true, time), axis=-1).mean(-1))


def jitter(joints: Float[np.ndarray, "T J 3"], time: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T-3"]:
    """Mean over joints of the size of the jerk (third derivative of position), m/s^3.

    As in PIP (Yi et al., CVPR 2022) and TransPose (SIGGRAPH 2021), without their unit of 100 m/s^3. Its value grows
    with the frame rate of noise that is white per frame: compare clips of one frame rate, or with the truth's own.
    """
    time = np.asarray(time, np.float64)
    # The middles of neighbouring triples of frames lie a third of four frames' span apart.
    jerk = np.diff(acceleration(joints, time), axis=0) / ((time[3:] - time[:-3]) / 3.0)[:, None, None]
    return np.asarray(np.linalg.norm(jerk, axis=-1).mean(-1))


def _safe_ratio(a: Float[np.ndarray, "*B"], b: Float[np.ndarray, "*B"]) -> Float[np.ndarray, "*B"]:
    """``a / b``, 0 where b is 0 (all joints in one point)."""
    return np.divide(a, b, out=np.where(np.isnan(b), np.nan, 0.0), where=(b > 0))

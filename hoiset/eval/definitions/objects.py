"""Objects: pose errors, shape errors, masks, smoothness.

**Convention:** meshes as in :mod:`~hoiset.eval.definitions.surfaces`; poses ``T_camera_object``
(N, 4, 4); NaN poses give NaN errors. A reconstructed object has no canonical frame and no vertex in common with the
true one: whatever is compared here is either independent of the object's frame (centroid, ADD-S, Chamfer distance,
size) or measured after :func:`~hoiset.eval.definitions.symmetry.align_canonical`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from hoiset.geometry import transform


def scale_ratio(size_pred: float, size_true: float) -> float:
    """Predicted over true size; sizes as :func:`gyration_radius` (or :func:`diameter`), m."""
    return size_pred / size_true if size_true > 0 else float("nan")


def scale_error(size_pred: float, size_true: float) -> float:
    """How many times too large or too small, minus 1: 0.25 is 1.25 times too large as well as too small."""
    ratio = scale_ratio(size_pred, size_true)
    return max(ratio, 1.0 / ratio) - 1.0 if ratio > 0 else float("nan")


def posed_points(T: Float[np.ndarray, "N 4 4"], points: Float[np.ndarray, "*P 3"]) -> Float[np.ndarray, "N *P 3"]:
    """Points of the object's frame at every pose; one point (3,) or many (P, 3)."""
    points = np.asarray(points, np.float64)
    out = transform(np.asarray(T, np.float64), np.atleast_2d(points))
    return out[..., 0, :] if points.ndim == 1 else out


def translation_error(pred: Float[np.ndarray, "N 3"], true: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
    """Distance between the centroids of the two posed surfaces, m.

    Args:
        pred: ``posed_points(T_pred, surface_centroid(predicted mesh))``.
        true: The same of the truth.

    The origin of an object's frame is a convention of whoever made the mesh, so the origins are not compared. A
    reconstruction that misses a part of the object (its hidden back) has its centroid moved by that: counted as error.
    """
    return np.asarray(np.linalg.norm(np.asarray(pred, np.float64) - np.asarray(true, np.float64), axis=-1))


def depth_scale(pred: Float[np.ndarray, "N 3"], true: Float[np.ndarray, "N 3"]) -> float:
    """Median over the frames of a clip of true over predicted depth; NaN when no frame has both in front."""
    z_pred, z_true = np.asarray(pred, np.float64)[:, 2], np.asarray(true, np.float64)[:, 2]
    both = (z_pred > 0) & (z_true > 0)
    return float(np.median(z_true[both] / z_pred[both])) if both.any() else float("nan")


def depth_aligned_translation_error(
    pred: Float[np.ndarray, "N 3"], true: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "N"]:
    """:func:`translation_error` after one scale per clip along the viewing rays (:func:`depth_scale`), m.

    Median scaling as in monocular depth (Zhou et al., CVPR 2017), there per image, here one per clip, so that drift in
    depth within the clip still counts. The whole position is scaled: where the object is seen does not change.
    """
    return translation_error(np.asarray(pred, np.float64) * depth_scale(pred, true), true)


def add(
    points: Float[np.ndarray, "P 3"], T_pred: Float[np.ndarray, "N 4 4"], T_true: Float[np.ndarray, "N 4 4"]
) -> Float[np.ndarray, "N"]:
    """ADD: mean distance between the same points of one model at two poses, m (Hinterstoisser et al., ACCV 2012).

    Both poses must be of the same object frame: take a reconstruction's from
    :func:`~hoiset.eval.definitions.symmetry.canonical_poses`. For AUC take ``auc(errors, 0.1)`` (m; PoseCNN, RSS 2018)
    or ``auc(errors / diameter, 0.1)``; for symmetric objects ADD-S.
    """
    return np.asarray(np.linalg.norm(posed_points(T_pred, points) - posed_points(T_true, points), axis=-1).mean(-1))


def adds(
    points_pred: Float[np.ndarray, "P 3"],
    T_pred: Float[np.ndarray, "N 4 4"],
    points_true: Float[np.ndarray, "Q 3"],
    T_true: Float[np.ndarray, "N 4 4"],
) -> Float[np.ndarray, "N"]:
    """ADD-S: mean distance from every true surface point to the nearest predicted one, per pose, m.

    PoseCNN (Xiang et al., RSS 2018). With one model in both places it is that paper's; with a reconstructed mesh it
    includes its error of shape, and needs neither a common frame nor symmetries.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(np.asarray(points_pred, np.float64))
    T_pred, posed = np.asarray(T_pred, np.float64), posed_points(T_true, points_true)
    # Into the predicted object's frame, so that one tree serves all frames.
    local = (posed - T_pred[:, None, :3, 3]) @ T_pred[:, :3, :3]
    out = np.full(len(local), np.nan)
    ok = np.isfinite(local).all((-1, -2))
    if ok.any():
        out[ok] = tree.query(local[ok])[0].mean(-1)
    return out


def chamfer(points_a: Float[np.ndarray, "P 3"], points_b: Float[np.ndarray, "Q 3"]) -> float:
    """Mean of the two mean distances to the nearest point of the other set, m (not squared).

    Chamfer-L1 of Occupancy Networks (Mescheder et al., CVPR 2019; Fan et al., CVPR 2017, square and sum). Of meshes:
    between :func:`~hoiset.eval.definitions.surfaces.sample_surface` points in a common frame. Two samples of one
    surface are not at 0 but at about half the spacing of the points: sqrt(area / n) / 2.
    """
    from scipy.spatial import cKDTree

    a, b = np.asarray(points_a, np.float64), np.asarray(points_b, np.float64)
    return float(0.5 * (cKDTree(b).query(a)[0].mean() + cKDTree(a).query(b)[0].mean()))


def mask_iou(pred: Bool[np.ndarray, "*B H W"], true: Bool[np.ndarray, "*B H W"]) -> Float[np.ndarray, "*B"]:
    """Intersection over union per frame (PASCAL VOC, IJCV 2010); NaN where both masks are empty."""
    pred, true = np.asarray(pred, bool), np.asarray(true, bool)
    union = (pred | true).sum((-1, -2))
    hit = (pred & true).sum((-1, -2))
    return np.divide(hit, union, out=np.full(np.shape(union), np.nan), where=union > 0)


def box_iou(a: Float[np.ndarray, "*B 4"], b: Float[np.ndarray, "*B 4"]) -> Float[np.ndarray, "*B"]:
    """Intersection over union of boxes (x1, y1, x2, y2), px, continuous coordinates; 0 for two empty boxes."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    hit = np.maximum(sides, 0.0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - hit
    return np.divide(hit, union, out=np.where(np.isnan(union), np.nan, 0.0), where=union > 0)


def temporal_distance(
    points: Float[np.ndarray, "P 3"], T_camera_object: Float[np.ndarray, "T 4 4"], time: Float[np.ndarray, "T"]
) -> Float[np.ndarray, "T-1"]:
    """Mean speed of the posed surface between neighbouring frames, m/s.

    The smoothness figure of RHOV (Patel et al., "Learning to imitate object interactions from internet videos",
    arXiv 2211.13225; its ablation of temporal optimisation): the distance that the object's surface covers from one
    frame to the next. The paper reports it per frame of its videos; per second it holds at any frame rate. It needs no
    truth and is smallest for an object that never moves: report it beside the truth's own, or as
    :func:`temporal_distance_excess`.
    """
    posed = posed_points(T_camera_object, points)
    step = np.linalg.norm(np.diff(posed, axis=0), axis=-1).mean(-1)
    return np.asarray(step / np.diff(np.asarray(time, np.float64)))


def temporal_distance_excess(pred: Float[np.ndarray, "T-1"], true: Float[np.ndarray, "T-1"]) -> float:
    """Mean predicted minus mean true :func:`temporal_distance` over the steps that both have, m/s.

    Positive: the prediction shakes or jumps; negative: it is smoothed or misses motion.
    """
    both = np.isfinite(pred) & np.isfinite(true)
    return float(np.mean(np.asarray(pred)[both] - np.asarray(true)[both])) if both.any() else float("nan")

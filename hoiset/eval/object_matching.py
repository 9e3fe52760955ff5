"""Which predicted object of a sample is which true one: Hungarian assignment on outline and place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from hoiset.eval import definitions as d
from hoiset.eval.metrics import CENTRE_MATCH_SHARE, MASK_MATCH_IOU
from hoiset.eval.reading import Mesh, View
from hoiset.eval.silhouettes import Caster, small_camera

MASK_RATE_HZ = 4.0
SURFACE_POINTS = 2000


class Body:
    """A mesh and what is derived from it, each once."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    @cached_property
    def centroid(self) -> Float[np.ndarray, "3"]:
        """Centre of the surface, object frame, m."""
        return d.surface_centroid(*self.mesh)

    @cached_property
    def diameter(self) -> float:
        """Greatest distance of two of its points, m."""
        return d.diameter(self.mesh[0])

    @cached_property
    def points(self) -> Float[np.ndarray, "N 3"]:
        """Points spread over the surface, object frame, m."""
        return d.sample_surface(*self.mesh, SURFACE_POINTS)

    @cached_property
    def size(self) -> float:
        """Radius of gyration, m."""
        return d.gyration_radius(*self.mesh)

    @cached_property
    def symmetries(self) -> d.Symmetries:
        """Rotations that leave the shape as it is."""
        return d.symmetries_of(*self.mesh)

    @cached_property
    def caster(self) -> Caster:
        """For its outline."""
        return Caster(self.mesh)

    def centres(self, T_camera_object: Float[np.ndarray, "T 4 4"]) -> Float[np.ndarray, "T 3"]:
        """Its centre at every pose, camera frame, m; NaN where absent."""
        return d.posed_points(T_camera_object, self.centroid)


@dataclass(frozen=True)
class ObjectMatch:
    """Matched objects of one sample.

    Attributes:
        slot: (O,) predicted slot of each true object; -1 where there is none.
        iou: (F, O, P) overlap of outlines in the frames looked at; NaN where either is absent.
    """

    slot: Int[np.ndarray, "O"]
    iou: Float[np.ndarray, "F O P"]

    def found(self) -> np.ndarray:
        """(O,) true objects that a predicted one is matched to."""
        return self.slot >= 0

    def false(self) -> list[int]:
        """Predicted slots that are no true object."""
        return sorted(set(range(self.iou.shape[2])) - set(self.slot.tolist()))


def match_objects(truth: View, sample: View, true: list[Body], pred: list[Body]) -> ObjectMatch:
    """Match a sample's objects with the true ones, both at the sample's frame times.

    A pair may match when its outlines overlap by :data:`hoiset.eval.metrics.MASK_MATCH_IOU` in the mean over the frames
    looked at in which both are there, or when its centres are within
    :data:`hoiset.eval.metrics.CENTRE_MATCH_SHARE` of the true diameter in the median frame. Of the pairs that may, the
    assignment with the greatest sum of overlap and closeness over the true object's frames counts, a frame without the
    predicted object counting 0.
    """
    iou = mask_overlaps(truth, sample, true, pred)
    score = np.zeros((len(true), len(pred)))
    for o, body in enumerate(true):
        own = body.centres(truth.pose[:, o])
        present = truth.there[:, o]
        looked = present[mask_frames(sample)]
        for p, other in enumerate(pred):
            distance = np.linalg.norm(other.centres(sample.pose[:, p]) - own, axis=-1)
            both = np.isfinite(distance)
            if not both.any():
                continue
            seen = np.isfinite(iou[:, o, p])
            overlap = iou[seen, o, p].mean() if seen.any() else 0.0
            if overlap >= MASK_MATCH_IOU or np.median(distance[both]) <= CENTRE_MATCH_SHARE * body.diameter:
                near = np.clip(1.0 - distance[both] / body.diameter, 0.0, 1.0).sum() / max(present.sum(), 1)
                score[o, p] = np.nansum(iou[:, o, p]) / max(looked.sum(), 1) + near + 1e-9
    slot = np.full(len(true), -1)
    rows, columns = linear_sum_assignment(-score)
    kept = score[rows, columns] > 0
    slot[rows[kept]] = columns[kept]
    return ObjectMatch(slot, iou)


def mask_frames(view: View) -> Int[np.ndarray, "F"]:
    """Frames in which outlines are compared: about :data:`MASK_RATE_HZ` a second, evenly spread."""
    n = len(view.time)
    step = max(1, round(1.0 / (MASK_RATE_HZ * view.period_s))) if view.period_s > 0 else 1
    return np.arange(0, n, step)


def mask_overlaps(truth: View, sample: View, true: list[Body], pred: list[Body]) -> Float[np.ndarray, "F O P"]:
    """Overlap of the outlines of every pair in the frames of :func:`mask_frames`; NaN where either is absent."""
    frames = mask_frames(sample)
    K, width, height = small_camera(truth.K, truth.size)
    K_sample, _, _ = small_camera(sample.K, sample.size)
    out = np.full((len(frames), len(true), len(pred)), np.nan)
    for f, t in enumerate(frames):
        shown = [
            (p, body.caster.mask(sample.pose[t, p], K_sample, width, height))
            for p, body in enumerate(pred)
            if sample.there[t, p]
        ]
        for o, body in enumerate(true):
            if truth.there[t, o] and shown:
                mask = body.caster.mask(truth.pose[t, o], K, width, height)
                for p, other in shown:
                    out[f, o, p] = d.mask_iou(other, mask)
    return out

"""Brings a truth to the frame times of a sample that a build made of the same video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from hoiset.eval.reading import TIME_EPS_S, View

_ON_GRID_SHARE = 0.05


def align_start(sample: View, truth: View) -> View:
    """A sample whose first frame has the time that it has in the file.

    A sample's ``start_s`` is where a span was cut; its first frame is the first one at or after it, up to one frame
    later. Where the truth's frames are the file's (every frame of the sample then falls on one of them), they tell.
    """
    wait = truth.time - sample.time[0]
    later = wait[wait >= -TIME_EPS_S]
    if not len(later) or later[0] > truth.period_s + TIME_EPS_S:
        return sample
    time = sample.time + later[0]
    inside = time <= truth.time[-1] + TIME_EPS_S
    off = np.abs(truth.time[nearest(truth.time, time[inside])] - time[inside])
    if off.max(initial=0.0) > _ON_GRID_SHARE * truth.period_s:
        return sample
    return replace(sample, time=time, start_s=sample.start_s + float(later[0]))


def nearest(grid: Float[np.ndarray, "T"], times: Float[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
    """Index of the nearest of sorted grid times."""
    right = (
        np.clip(np.searchsorted(grid, times), 1, max(len(grid) - 1, 1)) if len(grid) > 1 else np.zeros_like(times, int)
    )
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(grid[right] - times) < np.abs(times - grid[left]), right, left)


def covered(truth: View, samples: list[View]) -> Bool[np.ndarray, "T"]:
    """Which of the truth's frames any sample has a frame for.

    That is one within half a frame of the slower of the two, or the last one before it if that still lasts: a frame
    lasts as long as its sample's frames do.
    """
    out = np.zeros(len(truth.time), bool)
    for sample in samples:
        away = truth.time - sample.time[nearest(sample.time, truth.time)]
        reach = 0.5 * max(truth.period_s, sample.period_s) + TIME_EPS_S
        out |= (away >= -reach) & (away <= max(reach, sample.period_s - TIME_EPS_S))
    return out


def take(view: View, index: Int[np.ndarray, "N"] | Bool[np.ndarray, "T"]) -> View:
    """Some of a view's frames."""
    names = ("time", "joints", "joints_2d", "wrist", "hand", "pose", "there", "state", "contact")
    return replace(view, **{name: getattr(view, name)[index] for name in names})


def resample(truth: View, sample: View) -> tuple[View, View]:
    """Truth and sample at the sample's frame times, where the truth has a frame within half of its own period.

    Codes and contacts are those of the nearest true frame. Joints and poses lie between its two neighbours, where both
    have them; a time that is a frame of the truth takes that frame as it is.
    """
    at = nearest(truth.time, sample.time)
    inside = np.abs(truth.time[at] - sample.time) <= 0.5 * truth.period_s + TIME_EPS_S
    at, sample = at[inside], take(sample, inside)
    near = take(truth, at)
    side = np.where(sample.time >= near.time, 1, -1)
    other = take(truth, np.clip(at + side, 0, len(truth.time) - 1))
    gap = np.abs(other.time - near.time)
    share = np.divide(np.abs(sample.time - near.time), gap, out=np.zeros_like(gap), where=gap > TIME_EPS_S)
    share[(share * gap <= TIME_EPS_S) | (gap > 1.5 * truth.period_s)] = 0.0
    between = replace(
        near,
        time=sample.time,
        joints=_lerp(near.joints, other.joints, share),
        joints_2d=_lerp(near.joints_2d, other.joints_2d, share),
        wrist=_blend_poses(near.wrist, other.wrist, share),
        pose=_blend_poses(near.pose, other.pose, share),
    )
    return between, sample


def _lerp(a: np.ndarray, b: np.ndarray, share: Float[np.ndarray, "N"]) -> np.ndarray:
    """``a`` towards ``b``; ``a`` where b is absent or the share is 0."""
    share = share.reshape(-1, *(1,) * (a.ndim - 1))
    return np.where(np.isfinite(b) & (share > 0), a + share * (b - a), a)


def _blend_poses(a: Float[np.ndarray, "N M 4 4"], b: Float[np.ndarray, "N M 4 4"], share: np.ndarray) -> np.ndarray:
    """Translation along the line, rotation along the geodesic."""
    from scipy.spatial.transform import Rotation

    out = a.copy()
    way = np.broadcast_to(share[:, None], a.shape[:2])
    do = (way > 0) & np.isfinite(a).all((2, 3)) & np.isfinite(b).all((2, 3))
    if do.any():
        first, last = Rotation.from_matrix(a[do, :3, :3]), Rotation.from_matrix(b[do, :3, :3])
        turn = (first.inv() * last).as_rotvec() * way[do, None]
        out[do, :3, :3] = (first * Rotation.from_rotvec(turn)).as_matrix()
        out[do, :3, 3] = a[do, :3, 3] + way[do, None] * (b[do, :3, 3] - a[do, :3, 3])
    return out

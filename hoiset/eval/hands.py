"""Hands: which predicted hand is which true one, frame by frame, and how far off it is.

**Convention:** hands axis 0 = left, 1 = right; both views at the same frame times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hoiset.eval import definitions as d
from hoiset.eval.metrics import HAND_MATCH_SHARE
from hoiset.eval.reading import View
from hoiset.eval.tally import mean_of, share_of

CURVE_M = np.linspace(0.0, 0.1, 101)
"""Thresholds of the PCK curves, m."""
SIDES = ("left", "right")
_PCK_M = 0.02
_LEAST_EXTENT = 0.02


@dataclass(frozen=True)
class HandMatch:
    """Which predicted hand is at the place of which true one.

    Attributes:
        slot: (T, 2) predicted slot of each true hand; -1 where there is none.
    """

    slot: np.ndarray

    @property
    def found(self) -> Bool[np.ndarray, "T 2"]:
        """True hands that a predicted one is matched to."""
        return self.slot >= 0

    @property
    def same_side(self) -> Bool[np.ndarray, "T 2"]:
        """Those whose predicted hand is on their own side."""
        return self.slot == np.arange(2)


def match_hands(truth: View, sample: View) -> HandMatch:
    """Match the hands of every frame by their place in the image, whatever side they are said to be.

    Of the two ways to pair two hands with two, the one with more matches counts, then the one that is closer.
    """
    distance = np.linalg.norm(truth.joints_2d[:, :, None] - sample.joints_2d[:, None], axis=-1).mean(-1)
    extent = np.ptp(truth.joints_2d, axis=2).max(-1)
    reach = HAND_MATCH_SHARE * np.maximum(extent, _LEAST_EXTENT)
    fits = truth.hand[:, :, None] & sample.hand[:, None] & (np.nan_to_num(distance, nan=np.inf) <= reach[..., None])
    cost = np.where(fits, distance, 0.0)
    ways = np.array([[0, 1], [1, 0]])
    sides = np.arange(2)
    count = np.stack([fits[:, sides, way].sum(-1) for way in ways], -1)
    total = np.stack([cost[:, sides, way].sum(-1) for way in ways], -1)
    swap = (count[:, 1] > count[:, 0]) | ((count[:, 1] == count[:, 0]) & (total[:, 1] < total[:, 0]))
    way = ways[swap.astype(int)]
    return HandMatch(np.where(np.take_along_axis(fits, way[:, :, None], 2)[..., 0], way, -1))


def hand_sums(truth: View, sample: View, match: HandMatch) -> dict[str, np.ndarray]:
    """Sums of every figure of hands and wrists.

    Args:
        truth: At the sample's frame times.
        sample: What is judged.
        match: Of :func:`match_hands`.
    """
    w, found = sample.period_s, match.found
    out = {
        "hand_recall": share_of(found, truth.hand, w),
        **{f"hand_recall_{s}": share_of(found[:, h], truth.hand[:, h], w) for h, s in enumerate(SIDES)},
        "hand_precision": share_of(found, sample.hand, w),
        "handedness_accuracy": share_of(match.same_side, found, w),
    }
    t, h = np.nonzero(found)
    pred, true = sample.joints[t, match.slot[t, h]], truth.joints[t, h]
    return {
        **out,
        **_joint_sums(pred, true, w),
        **_wrist_sums(truth, sample, match),
        **_motion_sums(truth, sample, match),
    }


def missed_hands(truth: View) -> dict[str, np.ndarray]:
    """Sums of true frames that no sample covers."""
    nothing = np.zeros_like(truth.hand)
    out = {"hand_recall": share_of(nothing, truth.hand, truth.period_s)}
    return out | {
        f"hand_recall_{s}": share_of(nothing[:, h], truth.hand[:, h], truth.period_s) for h, s in enumerate(SIDES)
    }


def _joint_sums(
    pred: Float[np.ndarray, "N 21 3"], true: Float[np.ndarray, "N 21 3"], w: float
) -> dict[str, np.ndarray]:
    relative = d.joint_distances(d.root_relative(pred), d.root_relative(true))
    aligned = d.joint_distances(d.procrustes_aligned(pred, true), true)
    absolute = d.joint_distances(pred, true)
    wrist = absolute[:, 0]
    out = {
        "hand_mpjpe_mm": mean_of(absolute.mean(-1), w),
        "hand_root_relative_mpjpe_mm": mean_of(relative.mean(-1), w),
        "hand_scale_aligned_mpjpe_mm": mean_of(d.scale_aligned_mpjpe(pred, true), w),
        "hand_pa_mpjpe_mm": mean_of(aligned.mean(-1), w),
        "hand_pck_20mm": mean_of(_within(relative, _PCK_M), w),
        "hand_auc_50mm": mean_of(np.clip(1.0 - relative / 0.05, 0.0, 1.0).mean(-1), w),
        "hand_pa_auc_50mm": mean_of(np.clip(1.0 - aligned / 0.05, 0.0, 1.0).mean(-1), w),
        "wrist_error_mm": mean_of(wrist, w),
        "wrist_depth_error_percent": mean_of(wrist / true[:, 0, 2], w),
    }
    for name, errors in (("absolute", absolute), ("root_relative", relative), ("pa", aligned)):
        counts = w * np.searchsorted(np.sort(errors.ravel()), CURVE_M, side="right")
        out[f"curve_{name}"] = np.append(counts, w * errors.size)
    return out


def _within(errors: Float[np.ndarray, "N 21"], threshold_m: float) -> Float[np.ndarray, "N"]:
    return (errors <= threshold_m).mean(-1)


def _wrist_sums(truth: View, sample: View, match: HandMatch) -> dict[str, np.ndarray]:
    w, same = sample.period_s, match.same_side
    out = {
        "wrist_rotation_deg": mean_of(d.rotation_error(sample.wrist[same][:, :3, :3], truth.wrist[same][:, :3, :3]), w)
    }
    rows: dict[str, list[float]] = {name: [] for name in ("ade", "fde", "dtw", "rot")}
    for side in range(2):
        if not same[:, side].any():
            continue
        pred = np.where(same[:, side, None, None], sample.wrist[:, side], np.nan)
        true = truth.wrist[:, side]
        rows["ade"].append(d.ade(pred[:, :3, 3], true[:, :3, 3]))
        rows["fde"].append(d.fde(pred[:, :3, 3], true[:, :3, 3]))
        rows["dtw"].append(d.dtw(pred[:, :3, 3], true[:, :3, 3]))
        rows["rot"].append(d.rot(pred[:, :3, :3], true[:, :3, :3]))
    units = {"ade": "mm", "fde": "mm", "dtw": "mm", "rot": "deg"}
    return out | {f"wrist_{name}_{units[name]}": mean_of(np.array(values)) for name, values in rows.items()}


def _motion_sums(truth: View, sample: View, match: HandMatch) -> dict[str, np.ndarray]:
    """Acceleration and jerk, where a hand is found on its side in all the frames that it takes."""
    error, shaken, smooth = [], [], []
    for side in range(2):
        there = match.same_side[:, side, None, None]
        pred = np.where(there, sample.joints[:, side], np.nan)
        true = np.where(there, truth.joints[:, side], np.nan)
        if len(sample.time) >= 3:
            error.append(d.acceleration_error(pred, true, sample.time))
        if len(sample.time) >= 4:
            shaken.append(d.jitter(pred, sample.time))
            smooth.append(d.jitter(true, sample.time))
    w = sample.period_s
    named = {"hand_acceleration_error_m_s2": error, "hand_jitter_m_s3": shaken, "hand_jitter_true_m_s3": smooth}
    return {name: mean_of(np.concatenate([*values, np.zeros(0)]), w) for name, values in named.items()}

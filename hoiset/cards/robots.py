"""What a card says of the robots of a version."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from hoiset.cards.markdown import table
from hoiset.shards.robots import COLUMN_METRICS, JOINTS, robots_of_columns

_WORDS = """\
Joint positions with which robots could have done the same, found by inverse kinematics in the camera frame: the hands
are neither moved nor scaled. An arm's frame *converged* where its tool is within tolerance of the wrist; the **IK
rate** is the share of frames with a hand for which that is so, errors are means over all of them, converged or not. A
hand alone goes with the wrist, so that only its fingers follow. Nothing of it was tried on a machine. The robots'
lengths and limits come from other people's models: `robots.json`.
"""


def n_joints(index: pa.Table) -> dict[str, int]:
    """Robot -> number of its joints; empty for an index without clips."""
    robots = robots_of_columns(index.schema.names) if index.num_rows else ()
    return {robot: int(index[f"robots_{robot}_{JOINTS}"][0].as_py() or 0) for robot in robots}


def robot_statistics(index: pa.Table) -> dict[str, dict[str, float]]:
    """Robot -> mean of each metric over the clips that have it, weighted by their frames, and how many ``clips`` have.

    A clip without any number has failed, or shows no hand that the robot could follow.
    """
    out: dict[str, dict[str, float]] = {}
    weight = index["n_frames"].to_numpy().astype(float)
    for robot in robots_of_columns(index.schema.names):
        columns = {m: index[f"robots_{robot}_{m}"].to_numpy().astype(float) for m in COLUMN_METRICS}
        there = np.isfinite(columns["ik_rate"])
        out[robot] = {"clips": float(there.sum())}
        for metric, values in columns.items():
            known = np.isfinite(values)
            out[robot][metric] = (
                float(np.average(values[known], weights=weight[known])) if known.any() else float("nan")
            )
    return out


def goes_with_wrist(of: Mapping[str, float]) -> bool:
    """Whether a robot is a hand alone: its root is at the wrist by construction, and its IK rate says nothing."""
    return of["position_m"] == 0.0 and of["rotation_rad"] == 0.0


def robots_section(index: pa.Table) -> str:
    """The section of the card; empty for a version without robots."""
    joints, found = n_joints(index), robot_statistics(index)
    if not joints:
        return ""
    rows = [
        (
            f"`{robot}`",
            str(joints[robot]),
            *_figures(of),
            f"{of['clips']:,.0f} of {index.num_rows:,}",
        )
        for robot, of in found.items()
    ]
    header = ("robot", "joints", "IK rate", "position error", "rotation error", "clips")
    return f"## Robots\n\n{_WORDS}\n" + table(header, rows, right=(1, 2, 3, 4, 5))


def _figures(of: Mapping[str, float]) -> tuple[str, str, str]:
    if goes_with_wrist(of):
        return ("goes with the wrist", "", "")
    return (
        _number(of["ik_rate"], 100, "{:.1f} %"),
        _number(of["position_m"], 1e3, "{:.1f} mm"),
        _number(of["rotation_rad"], 180 / np.pi, "{:.2f}°"),
    )


def _number(value: float, factor: float, form: str) -> str:
    return form.format(factor * value) if np.isfinite(value) else ""

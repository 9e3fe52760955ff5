"""The robots of a version: what the index says of them, and whether a sample's robots layer is sound.

**Convention:** ``robots.json`` names every robot whose members a sample has. An arm's frame with a target has a
residual, one that is converged has finite positions within the joints' limits. Where retargeting failed, the robot's
arrays are NaN, its sources unreachable wherever there was a hand, and ``failure`` says why.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hoiset.errors import SchemaError
from hoiset.shards.codec import plain
from hoiset.shards.schema import RobotSource, Sample, robots_among

COLUMN_METRICS = ("ik_rate", "position_m", "rotation_rad")
"""Metrics of ``robots.json`` that the index has a column for, ``robots_<robot>_<metric>``."""
JOINTS = "joints"
"""Ending of the column that counts a robot's joints, the same in every clip."""
COLUMNS = (*COLUMN_METRICS, JOINTS)
LIMIT_TOLERANCE = 1e-5
"""How far positions may lie beyond a limit by their rounding to f4, rad or m."""
_COLUMN = re.compile(rf"robots_(?P<robot>[a-z][a-z0-9_]*)_(?P<metric>{'|'.join(COLUMNS)})")
_FIELD = re.compile(rf"robots\.(?P<robot>[a-z][a-z0-9_]*)\.(?P<metric>{'|'.join(COLUMNS)})")


def robot_columns(robots: Sequence[str]) -> tuple[str, ...]:
    """Columns of the index for some robots; null where a clip has no such number."""
    return tuple(f"robots_{robot}_{column}" for robot in robots for column in COLUMNS)


def robots_of_columns(columns: Collection[str]) -> tuple[str, ...]:
    """The robots that columns of an index speak of, sorted."""
    found = (_COLUMN.fullmatch(name) for name in columns)
    return tuple(sorted({match["robot"] for match in found if match}))


def column_of_field(name: str) -> str | None:
    """The column that a query means by ``robots.<robot>.<metric>``, or by the column's own name."""
    match = _FIELD.fullmatch(name) or _COLUMN.fullmatch(name)
    return f"robots_{match['robot']}_{match['metric']}" if match else None


def robot_row(sample: Sample) -> dict[str, Any]:
    """The columns of a sample with a sound robots layer; none for one without."""
    described = sample.get("robots.json")
    if described is None:
        return {}
    row: dict[str, Any] = {}
    for robot in described["robots"]:
        values = {**{metric: robot["metrics"][metric] for metric in COLUMN_METRICS}, JOINTS: len(robot["joints"])}
        row |= {f"robots_{robot['robot']}_{column}": values[column] for column in COLUMNS}
    return plain(row)


def check_same_robots(key: str, have: Collection[str], first: str, expected: Collection[str]) -> None:
    """Raise SchemaError where a clip has other robots among its members than another clip of the version."""
    if robots_among(have) != robots_among(expected):
        raise SchemaError(
            f"{key}: found the robots {', '.join(robots_among(have)) or 'none'}, expected those of {first}: "
            f"{', '.join(robots_among(expected)) or 'none'}"
        )


def robot_values(sample: Sample) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a robots layer whose members have their types: member, found, expected."""
    robots = sample["robots.json"]["robots"]
    names, there = [robot["robot"] for robot in robots], list(robots_among(sample))
    if names != there:
        yield "robots.json", f"the robots {', '.join(map(str, names))}", f"those of the members: {', '.join(there)}"
        return
    lengths = {len(sample[f"{name}_{part}"]) for name in names for part in _PARTS}
    if len(lengths) > 1:
        yield "robots.json", f"members of {sorted(lengths)} frames", "one length"
        return
    for robot in robots:
        yield from _robot_values(robot, *(sample[f"{robot['robot']}_{part}"] for part in _PARTS))


_PARTS = ("q.npy.gz", "root.npy.gz", "source.npy", "residual.npy.gz")


def _robot_values(
    robot: Mapping[str, Any], q: np.ndarray, root: np.ndarray, source: np.ndarray, residual: np.ndarray
) -> Iterator[tuple[str, str, str]]:
    name, n_joints = robot["robot"], len(robot["joints"])
    if q.shape[1] != n_joints or any(len(robot[limit] or ()) != n_joints for limit in ("lower", "upper", "velocity")):
        yield f"{name}_q.npy.gz", f"{q.shape[1]} joints", f"{n_joints} with their limits, as robots.json"
        return
    if source.max() > max(RobotSource):
        yield f"{name}_source.npy", f"code {source.max()}", f"0 to {int(max(RobotSource))}"
        return
    lower, upper = (np.array(robot[limit], float) for limit in ("lower", "upper"))
    outside = (q < lower - LIMIT_TOLERANCE) | (q > upper + LIMIT_TOLERANCE)
    if outside.any():
        joint = robot["joints"][int(np.argmax(outside.any(0)))]
        yield f"{name}_q.npy.gz", f"{int(outside.sum())} positions beyond the limits of {joint}", "all within them"
    placed = np.isfinite(root).all((1, 2))
    if (~placed & ~np.isnan(root).all((1, 2))).any():
        yield f"{name}_root.npy.gz", "poses that are partly finite", "all finite or all NaN"
    moves = np.isin(source, (RobotSource.CONVERGED, RobotSource.INTERPOLATED))
    lost = moves.any(1) & (~np.isfinite(q).any(1) | ~placed)
    if lost.any():
        yield f"{name}_source.npy", f"{int(lost.sum())} frames that converged without positions", "positions and a root"
    blind = (source == RobotSource.CONVERGED) & ~np.isfinite(residual).all(-1)
    strange = (source == RobotSource.ABSENT) & np.isfinite(residual).any(-1)
    if blind.any() or strange.any():
        found = f"{int((blind | strange).sum())} entries at odds with {name}_source.npy"
        yield f"{name}_residual.npy.gz", found, "finite where converged, NaN where absent"
    if (residual < 0).any():
        yield f"{name}_residual.npy.gz", "negative distances", "0 or more"

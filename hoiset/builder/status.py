"""How far a build is, from its state on disk; works while it runs and after it was killed."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hoiset.builder.engine.meter import Timings
from hoiset.builder.engine.state import BuildState


@dataclass(frozen=True)
class BuildStatus:
    """The state of an output directory.

    Attributes:
        root: The directory.
        version: Of the recipe that it belongs to.
        screened: Videos that pass 1 has judged, those of earlier sources included.
        units: Units of the plan; 0 before there is one.
        units_done: Those that are finished.
        clips: Clips of the plan.
        statuses: Status -> clips of finished units.
        failures: One row a clip that was not made: key, uid, status, detail.
        timings: Phase -> how far it is and how long it took; see :class:`hoiset.builder.engine.meter.Timings`.
        finished: Whether index, manifest and card are there for all units of the plan.
    """

    root: str
    version: str
    screened: int
    units: int
    units_done: int
    clips: int
    statuses: dict[str, int]
    failures: tuple[dict[str, Any], ...]
    timings: dict[str, Timings]
    finished: bool

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def read_status(out: str | Path) -> BuildStatus:
    """Read the state of an output directory.

    Raises:
        DatasetError: No build has been there.
    """
    state = BuildState.at(out)
    version = state.recipe()["name"]
    plan = (state.read("plan", "plan") or {"units": []})["units"]
    rows = []
    done = 0
    for unit in plan:
        record = state.read("units", unit["unit"])
        if record is not None and record.get("digest") == unit["digest"]:
            done += 1
            rows += record["clips"]
    failures = tuple(
        {field: row[field] for field in ("key", "uid", "status", "detail")} for row in rows if row["status"] != "ok"
    )
    return BuildStatus(
        root=str(out),
        version=version,
        screened=len(state.log("screen")),
        units=len(plan),
        units_done=done,
        clips=sum(unit["clips"] for unit in plan),
        statuses=dict(sorted(Counter(row["status"] for row in rows).items())),
        failures=failures,
        timings={phase: state.timings(phase) for phase in ("screen", "reconstruct")},
        finished=bool(plan) and done == len(plan) and state.storage.size(f"manifest/{version}.json") is not None,
    )

"""What goes into a replay and what comes out of it.

**Convention:** camera frame and poses as in :mod:`hoiset.shards.schema`; m, rad, s, kg, N.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, UInt8

Mesh = tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]
Status = Literal["passed", "failed", "not_testable"]
Gravity = Literal["given", "support", "level", "assumed", "absent"]

REASONS: dict[str, str] = {
    "no_scale": "nothing makes the clip metric",
    "no_mesh": "there is no mesh of the object",
    "bad_mesh": "the mesh has no volume, too many faces, or no size that a hand could move",
    "bad_pose": "poses are not rigid, or time does not increase",
    "articulated": "the object has parts that move, by its name",
    "deformable": "the object gives way, by its name",
    "no_grasp": "no hand holds the object, or it is absent while one does",
    "no_hand": "there is no pose of the hand that holds the object",
    "too_short": "it is held for less than can be judged",
    "too_long": "it is held for longer than is simulated",
    "no_gravity": "gravity is unknown, and what the object rests on does not tell it",
    "no_motion": "it would be as near to its path if nobody touched it",
    "unstable": "the simulation of it does not stay finite",
}
"""Why an object is not testable."""


class NotTestable(Exception):  # noqa: N818
    """An object whose replay would say nothing; ``reason`` is a key of :data:`REASONS`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class ReplayClip:
    """What a replay needs of a clip.

    Attributes:
        key: The clip's.
        time: (T,) s.
        wrist: ``T_camera_wrist`` (T, 2, 4, 4); left, right; NaN where absent.
        joints: (T, 2, 21, 3) m, camera frame; NaN where absent.
        pose: ``T_camera_object`` (T, O, 4, 4); NaN where absent.
        state: (T, O) :class:`hoiset.shards.schema.ObjectState`.
        contact: (T, 2, O) least distance of a fingertip from the surface, m; NaN where absent.
        meshes: O meshes (vertices in m in the object's frame, faces); ``None`` where there is none.
        labels: O nouns; "" where unknown.
        sided: Whether the flat sides of each mesh are the object's own, not those of an outline that was made solid.
        gravity: (3,) direction in the camera frame; ``None`` where unknown.
        scaled: Whether something makes the clip metric.
    """

    key: str
    time: Float[np.ndarray, "T"]
    wrist: Float[np.ndarray, "T 2 4 4"]
    joints: Float[np.ndarray, "T 2 21 3"]
    pose: Float[np.ndarray, "T O 4 4"]
    state: UInt8[np.ndarray, "T O"]
    contact: Float[np.ndarray, "T 2 O"]
    meshes: tuple[Mesh | None, ...]
    labels: tuple[str, ...]
    sided: tuple[bool, ...]
    gravity: Float[np.ndarray, "3"] | None = None
    scaled: bool = True


@dataclass(frozen=True)
class Threshold:
    """How near a replay has to be: a pass has mean errors within both and no frame beyond twice ``position_m``.

    And the object is on the mean no more than half as far from its path as if nobody touched it: a small movement is
    not passed by standing still.

    Attributes:
        name: In records.
        position_m: Distance of the object's centre from its recorded one.
        rotation_rad: Angle of the object from its recorded one.
    """

    name: str
    position_m: float
    rotation_rad: float


STRICT = Threshold("strict", 0.02, float(np.deg2rad(30.0)))
MIDDLE = Threshold("middle", 0.05, 0.5)
LOOSE = Threshold("loose", 0.10, 0.5)
THRESHOLDS = (STRICT, MIDDLE, LOOSE)
"""Strict: ManipTrans (2503.21860) at its s = 0.7; loose: SPIDER (2511.09484); the one between decides the status."""


@dataclass(frozen=True)
class ReplayParams:
    """How objects are replayed.

    Attributes:
        seed: Of the search and of the draws of mass and friction.
        density_kg_m3: Mass = volume x density: full ones are of 1000, hollow ones of 200 and less.
        mass_kg: Bounds of the mass.
        friction: Coefficient between object and gripper, as of dry skin on household things.
        support_friction: Coefficient between object and what it rests on.
        correction_m: Farthest that the search may move the hand.
        correction_rad: Farthest that it may turn the hand.
        closing_s: Farthest that it may move the instant of closing, either way.
        knots: Most knots of the correction over time.
        samples: Rollouts a round.
        rounds: Most rounds; 0 for an open loop only.
        draws: Draws of mass and friction.
        min_grasp_s: Shortest time held.
        max_s: Longest time simulated.
        smooth_s: Standard deviation of the window that smooths the hand's path.
        assume_gravity: Camera-frame direction that stands in for unknown gravity that no support tells.
        closes: ``False`` for a control: a gripper that never closes carries nothing.
        threads: Of the simulation, 0 for all cores; the result is the same.
    """

    seed: int = 0
    density_kg_m3: float = 400.0
    mass_kg: tuple[float, float] = (0.02, 3.0)
    friction: float = 0.8
    support_friction: float = 0.5
    correction_m: float = 0.03
    correction_rad: float = float(np.deg2rad(15.0))
    closing_s: float = 0.2
    knots: int = 6
    samples: int = 32
    rounds: int = 5
    draws: int = 12
    min_grasp_s: float = 0.3
    max_s: float = 20.0
    smooth_s: float = 0.06
    assume_gravity: tuple[float, float, float] | None = None
    closes: bool = True
    threads: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.knots <= 8:
            raise ValueError(f"found {self.knots} knots, expected 1 to 8")
        if self.samples < 4 or self.rounds < 0 or self.draws < 0:
            raise ValueError(
                f"found {self.samples} samples, {self.rounds} rounds and {self.draws} draws, expected at least 4, 0, 0"
            )
        if self.correction_m > 0.03 or self.correction_rad > np.deg2rad(15.0) + 1e-9:
            raise ValueError(
                f"found corrections up to {self.correction_m} m and {self.correction_rad} rad, expected at most 0.03 m "
                f"and 15 degrees: beyond that the score is the search's, not the clip's"
            )


@dataclass(frozen=True)
class Check:
    """One kinematic check: passed where the value is finite and not beyond the bound.

    Attributes:
        name: What.
        value: Found; ``None`` where there is nothing to judge.
        bound: Greatest allowed, or least for ``least``.
        unit: Of both.
        least: Whether the bound is the least.
    """

    name: str
    value: float | None
    bound: float
    unit: str
    least: bool = False

    @property
    def passed(self) -> bool | None:
        """Whether it is within its bound; ``None`` where there is nothing to judge."""
        if self.value is None:
            return None
        return bool(self.value >= self.bound if self.least else self.value <= self.bound)


@dataclass(frozen=True)
class ReplayRecord:
    """What a replay says of one object of a clip; plain values.

    Attributes:
        key: The clip's.
        object: Slot.
        label: Noun, "" where unknown.
        status: ``passed`` and ``failed`` are at the threshold ``middle``.
        reason: Key of :data:`REASONS` where not testable, else "".
        detail: More of it, for people.
        tier: 1: passed as recovered; 2: passed with a correction; 0: passed neither way; ``None`` where not testable.
        thresholds: Name -> whether it passed there.
        reached: Name -> share of frames within the threshold.
        open_loop: Errors without a correction, as ``position_m`` and the others below.
        position_m: Mean and max distance of the object's centre from the recorded one, m.
        rotation_rad: Mean and max angle, rad.
        without_hand_m: Mean distance if nobody touched it.
        correction_m: Farthest that the hand was moved.
        correction_rad: How far it was turned.
        closing_s: By how much it closes later.
        contact_share: Share of the time held with both fingers at the object.
        slip_m: Farthest that the object moved in the gripper while held, m.
        draws_passed: Share of draws of mass and friction that pass; ``None`` without draws.
        n_draws: How many.
        rollouts: Simulations run.
        frames: Frames that were judged.
        held_s: Time that it is held for.
        start: ``resting``, or ``held_in_place`` until the gripper closes, where it does not stand by itself.
        gravity_source: ``given``; ``support``: across the flat side that it stands on; ``level``: from its resting
            places being equally high; ``assumed``; or ``absent``.
        mass_kg: Assumed.
        friction: Assumed.
        checks: Kinematic checks; they do not enter the status.
        seed: Of the search.
        mujoco: Version; results differ between versions.
    """

    key: str
    object: int
    label: str
    status: Status
    reason: str = ""
    detail: str = ""
    tier: int | None = None
    thresholds: dict[str, bool] = field(default_factory=dict)
    reached: dict[str, float] = field(default_factory=dict)
    open_loop: dict[str, Any] = field(default_factory=dict)
    position_m: tuple[float, float] | None = None
    rotation_rad: tuple[float, float] | None = None
    without_hand_m: float | None = None
    correction_m: float | None = None
    correction_rad: float | None = None
    closing_s: float | None = None
    contact_share: float | None = None
    slip_m: float | None = None
    draws_passed: float | None = None
    n_draws: int = 0
    rollouts: int = 0
    frames: int = 0
    held_s: float = 0.0
    start: str = ""
    gravity_source: Gravity = "absent"
    mass_kg: float | None = None
    friction: float | None = None
    checks: tuple[Check, ...] = ()
    seed: int = 0
    mujoco: str = ""

    def to_json(self) -> dict[str, Any]:
        """Values that JSON has, without NaN."""
        out = asdict(self)
        out["checks"] = [{**asdict(check), "passed": check.passed} for check in self.checks]
        for name in ("position_m", "rotation_rad"):
            out[name] = None if out[name] is None else list(out[name])
        return out

"""Replays the objects of a clip and grades them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from hoiset.builder.reconstruct.smoothing import runs
from hoiset.builder.retarget.mjspec import import_mujoco
from hoiset.builder.retarget.replay.bodies import Body, body_of
from hoiset.builder.retarget.replay.grading import contact_share, errors_of, slip_m
from hoiset.builder.retarget.replay.gravity import gravity_from_places, gravity_from_rest, world_from_camera
from hoiset.builder.retarget.replay.hand_path import gripper_path
from hoiset.builder.retarget.replay.kinematic import kinematic_checks
from hoiset.builder.retarget.replay.plan import Correction, Plan
from hoiset.builder.retarget.replay.records import (
    MIDDLE,
    THRESHOLDS,
    Gravity,
    NotTestable,
    ReplayClip,
    ReplayParams,
    ReplayRecord,
)
from hoiset.builder.retarget.replay.scene import Scene, Support, build_scene
from hoiset.builder.retarget.replay.search import Found, search
from hoiset.builder.retarget.replay.simulation import Played, play
from hoiset.builder.retarget.replay.spans import Timeline, timeline
from hoiset.builder.retarget.replay.supports import supports_of
from hoiset.builder.retarget.replay.words import not_rigid
from hoiset.geometry import make_T, transform

STANDS_M, STANDS_RAD = 0.01, float(np.deg2rad(10.0))
"""An object that goes so far by itself before a hand takes it does not stand."""
MASS_FACTORS = (0.5, 2.0)
FRICTION_FACTORS = (0.6, 1.4)


@dataclass(frozen=True)
class Trace:
    """What was played, to look at.

    Attributes:
        plan: The plan.
        supports: What the object rests on.
        played: The rollout that the record is of.
        joints: (F, 2, 21, 3) of the recorded hands at the plan's frames, m, world; NaN where absent.
    """

    plan: Plan
    supports: tuple[Support, ...]
    played: Played
    joints: Float[np.ndarray, "F 2 21 3"]


def replay_clip(clip: ReplayClip, params: ReplayParams | None = None) -> tuple[ReplayRecord, ...]:
    """A record of every object of a clip; one that cannot be tested says why.

    The same clip, parameters and version of mujoco give the same records, at any number of threads.

    Raises:
        MissingDependency: mujoco is not installed.
    """
    return tuple(replay_object(clip, index, params)[0] for index in range(len(clip.meshes)))


def replay_object(
    clip: ReplayClip, index: int, params: ReplayParams | None = None
) -> tuple[ReplayRecord, Trace | None]:
    """The record of one object, and what was played for it where anything was.

    Args:
        clip: The clip.
        index: Slot of the object.
        params: How.

    Raises:
        MissingDependency: mujoco is not installed.
    """
    params = params or ReplayParams()
    version = str(import_mujoco().__version__)
    base = ReplayRecord(clip.key, index, clip.labels[index], "not_testable", seed=params.seed, mujoco=version)
    try:
        _check_clip(clip, index)
        hands = np.isfinite(clip.wrist).all((-1, -2)) & np.isfinite(clip.joints).all((-1, -2))
        span = timeline(clip.time, clip.pose[:, index], clip.state[:, index], hands, params)
        body = body_of(clip.meshes[index], params)
    except NotTestable as why:
        return replace(base, reason=why.reason, detail=why.detail), None
    gravity, source = _gravity(clip, index, span, body, params)
    checks = kinematic_checks(clip, index, span, body, gravity)
    base = replace(
        base,
        checks=checks,
        gravity_source=source,
        held_s=span.held_s,
        frames=int(span.judged.sum()),
        mass_kg=body.mass_kg,
        friction=params.friction,
    )
    try:
        if gravity is None:
            raise NotTestable("no_gravity")
        return _simulated(base, clip, index, span, body, gravity, params)
    except NotTestable as why:
        return replace(base, reason=why.reason, detail=why.detail), None


def _check_clip(clip: ReplayClip, index: int) -> None:
    if not clip.scaled:
        raise NotTestable("no_scale")
    if (kind := not_rigid(clip.labels[index])) is not None:
        raise NotTestable(kind, clip.labels[index])
    if len(clip.time) < 2 or not np.isfinite(clip.time).all() or (np.diff(clip.time) <= 0).any():
        raise NotTestable("bad_pose", "time does not increase")
    for what, T in (("object", clip.pose[:, index]), ("wrist", clip.wrist.reshape(-1, 4, 4))):
        T = T[np.isfinite(T).all((-1, -2))]
        R = T[:, :3, :3]
        rigid = np.abs(R @ R.swapaxes(1, 2) - np.eye(3)).max((1, 2), initial=0.0) < 1e-2
        if not (rigid & (np.linalg.det(R) > 0) & (np.abs(T[:, :3, 3]) < 100.0).all(1)).all():
            raise NotTestable("bad_pose", f"{what}: found poses that are not rigid, or farther than 100 m")


def _gravity(
    clip: ReplayClip, index: int, span: Timeline, body: Body, params: ReplayParams
) -> tuple[Float[np.ndarray, "3"] | None, Gravity]:
    if clip.gravity is not None and np.isfinite(clip.gravity).all() and np.linalg.norm(clip.gravity) > 1e-6:
        return np.asarray(clip.gravity, np.float64) / np.linalg.norm(clip.gravity), "given"
    rests = [clip.pose[(a + b - 1) // 2, index].astype(np.float64) for a, b in runs(span.resting)]
    if rests and clip.sided[index]:
        found = gravity_from_rest(body, rests[0][:3, :3])
        if found is not None:
            return found, "support"
    found = gravity_from_places(transform(np.array(rests), body.centre[None])[:, 0]) if rests else None
    if found is not None:
        return found, "level"
    if params.assume_gravity is not None:
        assumed = np.array(params.assume_gravity, np.float64)
        return assumed / np.linalg.norm(assumed), "assumed"
    return None, "absent"


def make_plan(
    clip: ReplayClip, index: int, span: Timeline, body: Body, gravity: Float[np.ndarray, "3"], params: ReplayParams
) -> tuple[Plan, tuple[Support, ...], Float[np.ndarray, "F 2 21 3"]]:
    """The plan of an object, its supports, and the hands' joints in its world.

    It is held in place at first where it is not seen at rest before somebody holds it.

    Raises:
        NotTestable: A hand has too few poses.
    """
    played = slice(span.first, span.last)
    pose = clip.pose[:, index].astype(np.float64)
    there = np.flatnonzero(np.isfinite(pose).all((-1, -2)))
    there = there[(there >= span.first) & (there < span.last)]
    T_world_camera = world_from_camera(gravity, transform(pose[there[0]], body.centre[None])[0])
    reference = T_world_camera @ pose
    joints = transform(T_world_camera, clip.joints[played].astype(np.float64).reshape(-1, 3)).reshape(-1, 2, 21, 3)
    paths = []
    for hand in span.hands:
        paths.append(
            gripper_path(
                clip.time[played],
                _orthonormal(T_world_camera @ clip.wrist[played, hand].astype(np.float64)),
                joints[:, hand],
                span.held[played, hand],
                smooth_s=params.smooth_s,
            )
        )
    grasped = int(np.flatnonzero(span.held.any(1))[0])
    rests_first = span.resting[:grasped].any()
    start = reference[np.flatnonzero(span.resting[:grasped])[0] if rests_first else there[0]]
    plan = Plan(
        body=body,
        frames=clip.time[played],
        reference=reference[played],
        judged=span.judged[played],
        start=_orthonormal(start[None])[0],
        paths=tuple(paths),
        spans=tuple(span.spans[hand] for hand in span.hands),
        held_in_place=not rests_first,
        most_m=params.correction_m,
        closes=params.closes,
    )
    return plan, supports_of(body, reference[played], span.resting[played]), joints


def _orthonormal(T: Float[np.ndarray, "T 4 4"]) -> Float[np.ndarray, "T 4 4"]:
    """Poses whose rotations are exact, from ones kept in single precision; NaN stays."""
    from hoiset.builder.retarget.replay.hand_path import nearest_rotation

    out, there = T.copy(), np.isfinite(T).all((-1, -2))
    out[there] = make_T(nearest_rotation(T[there][:, :3, :3]), T[there][:, :3, 3])
    return out


def _simulated(
    base: ReplayRecord,
    clip: ReplayClip,
    index: int,
    span: Timeline,
    body: Body,
    gravity: Float[np.ndarray, "3"],
    params: ReplayParams,
) -> tuple[ReplayRecord, Trace]:
    plan, supports, joints = make_plan(clip, index, span, body, gravity, params)
    scene = build_scene(body, plan.start, supports, len(plan.paths), params)
    still = Correction.none(len(plan.paths))
    away = np.array([False, True])
    played = play(scene, plan, [still, still], params, away=away)
    if not plan.held_in_place and not _stands(plan, played.one(1)):
        plan = replace(plan, held_in_place=True)
        played = play(scene, plan, [still, still], params, away=away)
    alone = errors_of(plan, played).one(1)
    without_m = float(alone.position_m.mean())
    errors = errors_of(plan, played.one(0), without_m)
    start = "held_in_place" if plan.held_in_place else "resting"
    base = replace(
        base,
        start=start,
        open_loop=errors.summary(0),
        without_hand_m=without_m,
        rollouts=2,
    )
    if alone.passed(MIDDLE)[0]:
        raise NotTestable("no_motion", f"{without_m * 100:.1f} cm from its path without a hand")
    opened = Found(still, errors, played.one(0), 0)
    best, tier = opened, 1 if opened.errors.passed(MIDDLE)[0] else 0
    if not tier and (found := search(scene, plan, params, (index,), without_m)) is not None:
        tier = 2 if found.errors.passed(MIDDLE)[0] else 0
        if tier or found.errors.position_m.mean() < opened.errors.position_m.mean():
            best = found
        base = replace(base, rollouts=base.rollouts + found.rollouts)
    share = _draws(scene, plan, best, params, index)
    summary = best.errors.summary(0)
    record = replace(
        base,
        status="passed" if tier else "failed",
        tier=tier,
        thresholds={at.name: bool(best.errors.passed(at)[0]) for at in THRESHOLDS},
        reached={at.name: float(best.errors.reached(at)[0]) for at in THRESHOLDS},
        position_m=summary["position_m"],
        rotation_rad=summary["rotation_rad"],
        correction_m=float(max(np.linalg.norm(plan.offsets(o), axis=-1).max() for o in best.correction.offset_m)),
        correction_rad=float(np.linalg.norm(best.correction.turn_rad, axis=-1).max()),
        closing_s=float(best.correction.delay_s[np.abs(best.correction.delay_s).argmax()]),
        contact_share=contact_share(plan, best.played),
        slip_m=slip_m(plan, best.played, scene),
        draws_passed=share,
        n_draws=params.draws,
        rollouts=base.rollouts + params.draws,
    )
    return record, Trace(plan, supports, best.played, joints)


def _stands(plan: Plan, alone: Played) -> bool:
    """Whether an object that nobody touches stays where it is until it would be held."""
    first = min(start for spans in plan.spans for start, _ in spans)
    before = plan.frames <= first
    if not before.any():
        return False
    here = replace(plan, reference=np.broadcast_to(plan.start, plan.reference.shape), judged=before)
    errors = errors_of(here, alone)
    return bool(errors.position_m.max() <= STANDS_M and errors.rotation_rad.max() <= STANDS_RAD)


def _draws(scene: Scene, plan: Plan, best: Found, params: ReplayParams, index: int) -> float | None:
    """Share of other masses and frictions with which it passes; the gripper knows of none of them."""
    if not params.draws:
        return None
    rng = np.random.default_rng([params.seed, index, 1])
    mass = np.exp(rng.uniform(np.log(MASS_FACTORS[0]), np.log(MASS_FACTORS[1]), params.draws))
    friction = rng.uniform(FRICTION_FACTORS[0], FRICTION_FACTORS[1], params.draws)
    played = play(scene, plan, [best.correction] * params.draws, params, mass=mass, friction=friction)
    return float(errors_of(plan, played, best.errors.without_hand_m).passed(MIDDLE).mean())

"""From an action, a hand, a camera and things to a performance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.actions import single, tending, twohanded
from hoiset.builder.studio.actions.bystanders import place_bystanders
from hoiset.builder.studio.actions.casting import ACTIONS, n_handled
from hoiset.builder.studio.actions.planning import Candidate, Scene
from hoiset.builder.studio.actions.script import Arm, Script, mirror, states
from hoiset.builder.studio.actions.words import say
from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.performance import Grasped, HandTrack, Performance, PropTrack
from hoiset.builder.studio.stage import Stage
from hoiset.shards.schema import ObjectState

_FROM_THE_MIDST = {"hold": 0.33, "stir": 0.46, "rotate": 0.36, "pour": 0.26}
"""Share of an action after which some clips begin: the thing is in the hand already."""
_MIDST_SHARE = 0.2
_POOR_COST = 60.0
Plan = Callable[[Scene], Iterator[Candidate]]


def _plans() -> dict[str, Plan]:
    return {
        "pick_place": single.pick_place,
        "push": single.push,
        "slide": single.slide,
        "rotate": single.rotate,
        "hold": single.hold,
        "pour": tending.pour,
        "stir": tending.stir,
        "open_lid": tending.open_lid,
        "bimanual_lift": twohanded.bimanual_lift,
        "hand_over": twohanded.hand_over,
    }


def perform(
    action: str,
    hand: Hand,
    stage: Stage,
    time: Float[np.ndarray, "T"],
    rng: np.random.Generator,
    *,
    props: Sequence[Prop],
) -> Performance:
    """Plan an action that the camera sees, with a right primary hand.

    Equal arguments give an equal performance. Bystanders for which the table has no room in view are left out.

    Args:
        action: One of :data:`~hoiset.builder.studio.actions.casting.ACTIONS`.
        hand: The right hand; a second one is its mirror image.
        stage: Camera and table.
        time: Frame times from 0, s; the action's phases scale with the last.
        rng: Source of the layout.
        props: The handled things in the order of the cast, then bystanders.

    Raises:
        ValueError: The action is unknown, has too few things, or the hand can hold no part of what it should.
    """
    if action not in ACTIONS:
        raise ValueError(f"found action {action!r}, expected one of {', '.join(ACTIONS)}")
    n = n_handled(action)
    if len(props) < n:
        raise ValueError(f"found {len(props)} things for {action}, expected at least {n}")
    scene = Scene.of(hand, stage, tuple(props[:n]), time, rng)
    if action in _FROM_THE_MIDST and rng.random() < _MIDST_SHARE:
        scene = scene.from_share(_FROM_THE_MIDST[action])
    plan = _plans()[action]
    cost, script = scene.best(plan(scene))
    if cost > _POOR_COST:
        cost, script = min((cost, script), scene.best(plan(scene)), key=lambda pair: pair[0])
    arms = scene.arms(script)
    around = place_bystanders(scene, script, arms, props[n:])
    sentence, verb, nouns = say(action, props[:n], rng)
    return Performance(
        time=time,
        hands=tuple(_hand_track(hand, arm) for arm in arms),
        props=_prop_tracks(scene, script, arms, around),
        grasps=_grasps(script, arms, time),
        action=action,
        sentence=sentence,
        verb=verb,
        nouns=nouns,
    )


def _hand_track(hand: Hand, arm: Arm) -> HandTrack:
    T = mirror(arm.T_world_wrist) if arm.left else arm.T_world_wrist
    return HandTrack(arm.left, hand, T, arm.angles, arm.R_wrist_forearm)


def _prop_tracks(
    scene: Scene, script: Script, arms: list[Arm], around: list[tuple[Prop, np.ndarray]]
) -> tuple[PropTrack, ...]:
    handled = [
        PropTrack(prop, path(scene.time), states(script, k, arms))
        for k, (prop, path) in enumerate(zip(scene.props, script.paths, strict=True))
    ]
    return (*handled, *(standing(prop, T, len(scene.time)) for prop, T in around))


def standing(prop: Prop, T_world_object: Float[np.ndarray, "4 4"], n_frames: int) -> PropTrack:
    """A thing that never moves."""
    state = np.full(n_frames, ObjectState.STATIC, np.uint8)
    return PropTrack(prop, np.tile(T_world_object, (n_frames, 1, 1)), state)


def _grasps(script: Script, arms: list[Arm], time: np.ndarray) -> tuple[Grasped, ...]:
    out = []
    for k, (hold, arm) in enumerate(zip(script.holds, arms, strict=True)):
        at = np.flatnonzero(arm.held)
        if len(at):
            out.append(Grasped(k, hold.thing, float(time[at[0]]), float(time[at[-1]])))
    return tuple(sorted(out, key=lambda g: (g.start_s, g.hand)))

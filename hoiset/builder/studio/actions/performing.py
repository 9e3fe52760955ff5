"""From an action, a hand, a camera and things to a performance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from hoiset.builder.studio.actions.casting import ACTIONS, n_handled
from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.motion import plan_over
from hoiset.builder.studio.objects import Prop
from hoiset.builder.studio.performance import Grasped, HandTrack, Performance, PropTrack
from hoiset.builder.studio.stage import Stage
from hoiset.shards.schema import ObjectState


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
        action: One of :data:`~hoiset.builder.studio.actions.casting.ACTIONS`, or ``idle`` or ``nothing``.
        hand: The right hand; a second one is its mirror image.
        stage: Camera and table.
        time: Frame times from 0, s; the action's phases scale with the last.
        rng: Source of the layout.
        props: The handled things in the order of the cast, then bystanders.

    Raises:
        ValueError: The action is unknown or has too few things.
    """
    if action not in ACTIONS:
        raise ValueError(f"found action {action!r}, expected one of {', '.join(ACTIONS)}")
    if len(props) < n_handled(action):
        raise ValueError(f"found {len(props)} things for {action}, expected at least {n_handled(action)}")
    duration_s = float(time[-1]) * len(time) / max(1, len(time) - 1)
    motion = plan_over(hand, props[0], stage, time, duration_s, rng)
    state = np.where(motion.held, ObjectState.GRASPED_RIGHT, ObjectState.STATIC).astype(np.uint8)
    at = np.flatnonzero(motion.held)
    noun = props[0].kind.replace("_", " ")
    return Performance(
        time=time,
        hands=(HandTrack(False, hand, motion.T_world_wrist, motion.angles, motion.R_wrist_forearm),),
        props=(PropTrack(props[0], motion.T_world_object, state),),
        grasps=(Grasped(0, 0, float(time[at[0]]), float(time[at[-1]])),) if len(at) else (),
        action=action,
        sentence=f"Pick up the {noun} and place it",
        verb="pick",
        nouns=(noun,),
    )

"""What hands and things do in a clip, before it is filmed: the border between planning a motion and rendering it.

**Convention:** world frame of :mod:`hoiset.builder.studio.stage` (z up, table at z = 0); m, rad, s. Codes are those of
:mod:`hoiset.shards.schema`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from hoiset.builder.studio.hand import Hand
from hoiset.builder.studio.objects import Prop
from hoiset.geometry import transform

MIRROR = np.array([-1.0, 1.0, 1.0])
"""Signs that make a left hand's points, in its wrist frame, from a right one's."""


@dataclass(frozen=True)
class HandTrack:
    """One hand over a clip, in view or not.

    Attributes:
        left: Whether it is a left hand: the mirror image of ``hand`` in the x of its wrist frame.
        hand: The skinned right hand.
        T_world_wrist: (T, 4, 4) its wrist frame, as the schema defines it for its side.
        angles: (T, 5, 4) of the fingers, as in :mod:`hoiset.builder.studio.skeleton`.
        R_wrist_forearm: (T, 3, 3) of the forearm, of the right hand that it mirrors.
    """

    left: bool
    hand: Hand
    T_world_wrist: Float[np.ndarray, "T 4 4"]
    angles: Float[np.ndarray, "T 5 4"]
    R_wrist_forearm: Float[np.ndarray, "T 3 3"]

    def posed(self, frame: int) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, "21 3"]]:
        """Skin and joints of one frame, world, m."""
        skin, joints = self.hand.pose(self.angles[frame], self.R_wrist_forearm[frame])
        flip = MIRROR if self.left else np.ones(3)
        T = self.T_world_wrist[frame]
        return transform(T, skin * flip), transform(T, joints * flip)


@dataclass(frozen=True)
class PropTrack:
    """One thing over a clip.

    Attributes:
        prop: The thing.
        T_world_object: (T, 4, 4).
        state: (T,) :class:`hoiset.shards.schema.ObjectState`; a thing that stands is ``STATIC``, never ``ABSENT``.
    """

    prop: Prop
    T_world_object: Float[np.ndarray, "T 4 4"]
    state: UInt8[np.ndarray, "T"]


@dataclass(frozen=True)
class Grasped:
    """A time in which a hand holds or pushes a thing.

    Attributes:
        hand: Index into :attr:`Performance.hands`.
        prop: Index into :attr:`Performance.props`.
        start_s: First moment, s.
        end_s: Last moment, s.
    """

    hand: int
    prop: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Performance:
    """Everything that moves in a clip, and what is said of it.

    Attributes:
        time: (T,) s.
        hands: None, one or two.
        props: Things in view; those that are handled first, then bystanders.
        grasps: In time order.
        action: Kind of action.
        sentence: What happens, in words.
        verb: Its verb, a lemma.
        nouns: Of the things that are handled.
    """

    time: Float[np.ndarray, "T"]
    hands: tuple[HandTrack, ...]
    props: tuple[PropTrack, ...]
    grasps: tuple[Grasped, ...]
    action: str
    sentence: str
    verb: str
    nouns: tuple[str, ...]

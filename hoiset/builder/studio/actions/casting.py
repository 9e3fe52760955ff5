"""Which action a clip shows and with which things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from hoiset.builder.studio.params import OBJECT_KINDS, PART_KINDS

Action = Literal[
    "pick_place", "pour", "stir", "push", "slide", "rotate", "hand_over", "hold", "bimanual_lift", "open_lid"
]
ACTIONS: tuple[Action, ...] = get_args(Action)
"""What hands can do with things."""

MAX_THINGS = 4
CHILD_SCALE = 0.87
"""Hands smaller than this are offered only what they can span."""


@dataclass(frozen=True)
class Role:
    """What an action asks of its things.

    Attributes:
        parts: Kinds that suit each handled thing, in the order of the props.
        small: The same for small hands.
        duration_s: How long the action takes at an easy pace: least and most.
    """

    parts: tuple[tuple[str, ...], ...]
    small: tuple[tuple[str, ...], ...]
    duration_s: tuple[float, float]


_GRIPPED = ("mug", "bowl", "bottle", "can", "box", "spoon", "knife", "plate", "ball", "spray_bottle", "pan")
_FOR_SMALL = ("mug", "bowl", "box", "spoon", "knife", "plate", "pan")
_ROLES: dict[str, Role] = {
    "pick_place": Role((_GRIPPED,), (_FOR_SMALL,), (3.0, 5.0)),
    "push": Role(
        (("box", "book", "can", "mug", "bowl", "bottle", "pan", "spray_bottle"),),
        (("box", "book", "can", "mug", "bowl"),),
        (3.0, 4.5),
    ),
    "slide": Role(
        (("mug", "can", "box", "bottle", "bowl", "book", "plate", "pan"),),
        (("mug", "box", "bowl", "book", "plate", "pan"),),
        (3.0, 5.0),
    ),
    "rotate": Role(
        (("mug", "can", "box", "bottle", "bowl", "plate", "ball", "spoon", "knife", "spray_bottle"),),
        (("mug", "box", "bowl", "spoon", "knife"),),
        (3.0, 5.0),
    ),
    "hold": Role((_GRIPPED,), (_FOR_SMALL,), (3.5, 5.5)),
    "pour": Role((("bottle", "mug", "jar"), ("bowl", "mug", "pan", "pot")), (("mug",), ("bowl", "pan")), (4.5, 6.5)),
    "stir": Role(
        (("spoon", "spoon", "knife"), ("bowl", "mug", "pan", "pot")), (("spoon",), ("bowl", "pan")), (5.0, 8.0)
    ),
    "open_lid": Role((("lid",), ("pot", "jar")), (("lid",), ("pot",)), (3.0, 5.0)),
    "bimanual_lift": Role(
        (("box", "bowl", "plate", "ball", "pan", "pot"),), (("box", "bowl", "plate", "ball", "pot"),), (3.0, 5.0)
    ),
    "hand_over": Role(
        (("mug", "bottle", "can", "box", "spoon", "knife", "spray_bottle", "bowl", "plate"),),
        (("mug", "box", "spoon", "knife", "bowl"),),
        (5.0, 7.5),
    ),
}


@dataclass(frozen=True)
class Cast:
    """An action and the things it is played with.

    Attributes:
        action: One of :data:`ACTIONS`.
        kinds: Kind of every thing: the handled ones first, in the order that :func:`perform` expects, then bystanders.
        copies: For every thing the index of the first that looks exactly like it; its own index where it is the first.
        n_handled: How many of them take part.
        duration_s: How long the clip should at least be for the action to look easy.
    """

    action: Action
    kinds: tuple[str, ...]
    copies: tuple[int, ...]
    n_handled: int
    duration_s: float


def cast(
    rng: np.random.Generator,
    *,
    action: str | None = None,
    kinds: Sequence[str] = (*OBJECT_KINDS, *PART_KINDS),
    handled: str | None = None,
    hand_scale: float = 1.0,
) -> Cast:
    """Draw an action and things that suit it: one to four, sometimes identical copies among the bystanders.

    Args:
        rng: Source of everything that is not given.
        action: What is done; drawn where not given.
        kinds: Kinds of thing that exist.
        handled: Kind of the first handled thing; drawn where not given.
        hand_scale: Size of the hand, 1 = adult.

    Raises:
        ValueError: No such action, no action suits the kinds, or ``action`` does not suit ``handled``.
    """
    open_to = {a: r for a in ACTIONS if (r := _parts(a, kinds, handled, hand_scale)) is not None}
    wanted: list[Any] = [action] if action is not None else list(open_to)
    if not wanted or wanted[0] not in open_to:
        raise ValueError(f"found no things for {action or 'any action'} among {sorted(kinds)}: give more kinds")
    chosen = wanted[int(rng.integers(len(wanted)))]
    names: list[str] = []
    for choices in open_to[chosen]:
        names.append(choices[int(rng.integers(len(choices)))])
    n_handled = len(names)
    copies = list(range(n_handled))
    loose = [kind for kind in kinds if kind != "lid"]
    for _ in range(int(rng.integers(n_handled, MAX_THINGS + 1)) - n_handled):
        at = int(rng.integers(len(names)))
        twin = rng.random() < 0.35 and names[at] != "lid"
        copies.append(copies[at] if twin else len(names))
        names.append(names[at] if twin else str(loose[int(rng.integers(len(loose)))]))
    low, high = _ROLES[chosen].duration_s
    return Cast(chosen, tuple(names), tuple(copies), n_handled, float(rng.uniform(low, high)))


def n_handled(action: Action) -> int:
    """How many things take part in an action."""
    return len(_ROLES[action].parts)


def _parts(
    action: Action, kinds: Sequence[str], handled: str | None, hand_scale: float
) -> tuple[tuple[str, ...], ...] | None:
    """Kinds that suit each part and exist, or ``None`` where a part cannot be cast."""
    role = _ROLES[action]
    parts = role.small if hand_scale < CHILD_SCALE else role.parts
    out = [tuple(k for k in part if k in kinds) for part in parts]
    if handled is not None:
        out[0] = tuple(k for k in out[0] if k == handled)
    return tuple(out) if all(out) else None

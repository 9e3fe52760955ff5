"""What an object rests on in a replay: a floor at its lowest resting place, and a block under each higher one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from hoiset.builder.reconstruct.smoothing import runs
from hoiset.builder.retarget.replay.bodies import Body
from hoiset.builder.retarget.replay.scene import Support
from hoiset.geometry import transform

SAME_M = 0.005
ROOM_M = 0.02


def supports_of(
    body: Body, T_world_object: Float[np.ndarray, "T 4 4"], resting: Bool[np.ndarray, "T"]
) -> tuple[Support, ...]:
    """Supports for all spans in which an object rests.

    A block that would stand where the object also rests lower is left out: that is one place, measured twice.

    Args:
        body: The object.
        T_world_object: World with z up; NaN where absent.
        resting: Whether it rests.

    Returns:
        The floor first; none where it never rests.
    """
    places: list[tuple[float, np.ndarray, float]] = []
    for a, b in runs(resting):
        corners = transform(T_world_object[(a + b - 1) // 2], body.corners)
        middle = 0.5 * (corners[:, :2].min(0) + corners[:, :2].max(0))
        half = 0.5 * float(np.ptp(corners[:, :2], axis=0).max()) + ROOM_M
        places.append((float(corners[:, 2].min()), middle, half))
    if not places:
        return ()
    places.sort(key=lambda place: place[0])
    out = [Support(places[0][0])]
    for number, (height, middle, half) in enumerate(places):
        lower = [(m, h) for _, m, h in places[:number]]
        apart = all((np.abs(middle - m) > half + h).any() for m, h in lower)
        if height > places[0][0] + SAME_M and apart:
            out.append(Support(height, (float(middle[0]), float(middle[1])), half))
    return tuple(out)

"""From measured values to a decision: the first gate that fails, in fixed order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hoiset.builder.screen.params import ScreenParams

GATES = (
    "no_video",
    "too_short",
    "camera_moves",
    "camera_unsure",
    "no_hands",
    "hands_too_small",
    "hands_cut_off",
    "no_hand_motion",
)
"""Names of the gates, cheap ones first; a span that passes all of them has the gate ``ok``.

``camera_moves`` says that motion of the background was seen, ``camera_unsure`` that it was neither seen nor ruled out:
a picture without texture, one that is covered nearly whole, one in which everything changes.
"""

MEASURED = ("duration_s", "camera_shift", "hand_s", "hand_ratio", "hand_size", "hand_cut_off", "hand_speed")
"""Names of the measured values; every candidate has all of them, NaN where they were not reached.

``camera_shift`` is the most that the background moved within the span; for a span that failed on it, the least it
moves in any ``min_clip_s`` of it, or what was seen of its motion where it is lost before. Sizes and shifts are
fractions of min(height, width), speeds the same per second.
"""


def first_failed(measured: Mapping[str, float], params: ScreenParams) -> tuple[str, str]:
    """The first gate that measured values fail, and one line that says why; ``("ok", "")`` when none does.

    A value that is missing or NaN was not measured, and its gate is not asked.
    """
    value = {name: float(measured.get(name, np.nan)) for name in MEASURED}
    p = params
    checks = (
        ("too_short", value["duration_s"] < p.min_clip_s - 1e-6, "duration_s", p.min_clip_s, "s at least"),
        ("camera_moves", value["camera_shift"] > p.max_camera_shift, "camera_shift", p.max_camera_shift, "at most"),
        ("no_hands", value["hand_s"] < p.min_hand_s - 1e-6, "hand_s", p.min_hand_s, "s at least"),
        ("no_hands", value["hand_ratio"] < p.min_hand_ratio, "hand_ratio", p.min_hand_ratio, "at least"),
        ("hands_too_small", value["hand_size"] < p.min_hand_size, "hand_size", p.min_hand_size, "at least"),
        ("hands_cut_off", value["hand_cut_off"] > p.max_cut_off_ratio, "hand_cut_off", p.max_cut_off_ratio, "at most"),
        ("no_hand_motion", value["hand_speed"] < p.min_hand_speed, "hand_speed", p.min_hand_speed, "at least"),
    )
    for gate, failed, name, bound, sense in checks:
        if failed:
            return gate, f"{name} is {value[name]:.3g}, expected {bound:g} {sense}"
    return "ok", ""

"""From measured values to a decision: the first gate that fails, in fixed order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hoiset.builder.screen.params import ScreenParams

GATES = (
    "no_video",
    "too_short",
    "black_frames",
    "camera_moves",
    "camera_unsure",
    "blurred",
    "split_screen",
    "picture_in_picture",
    "text_overlay",
    "no_hands",
    "hands_too_small",
    "hands_cut_off",
    "still_image",
    "not_a_person",
    "no_hand_motion",
    "no_object_motion",
)
"""Names of the gates, cheap ones first; a span that passes all of them has the gate ``ok``.

``camera_moves`` says that motion of the background was seen, ``camera_unsure`` that it was neither seen nor ruled out:
a picture without texture, one that is covered nearly whole, one in which everything changes. A photograph without hands
is ``no_hands``, as an empty table is, on which nothing changes either.
"""

MEASURED = (
    "duration_s",
    "black",
    "camera_shift",
    "blur",
    "split",
    "inset",
    "text",
    "hand_s",
    "hand_ratio",
    "hand_size",
    "hand_cut_off",
    "change",
    "hand_score",
    "hand_skin",
    "hand_speed",
    "object_motion",
)
"""Names of the measured values; every candidate has all of them, NaN where they were not reached.

``camera_shift`` is the most that the background moved within the span; for a span that failed on it, the least it
moves in any ``min_clip_s`` of it, or what was seen of its motion where it is lost before. Sizes and shifts are
fractions of min(height, width), speeds the same per second. For the others see
:func:`hoiset.builder.screen.quality.measure_quality`, :func:`hoiset.builder.screen.hands.measure_hands` and
:func:`hoiset.builder.screen.near_hands.measure_near_hands`. ``hand_score`` has no gate: the detector's own threshold
decides what counts as a hand.
"""


@dataclass(frozen=True)
class Check:
    """One comparison of a measured value.

    Attributes:
        gate: What a span that fails it is said to fail.
        value: One of :data:`MEASURED`.
        param: Field of :class:`ScreenParams` that holds the bound.
        least: Whether the bound is the least that passes, or the most.
        unit: Of the bound, for people.
    """

    gate: str
    value: str
    param: str
    least: bool
    unit: str = ""


CHECKS = (
    Check("too_short", "duration_s", "min_clip_s", True, "s "),
    Check("black_frames", "black", "max_black_ratio", False),
    Check("camera_moves", "camera_shift", "max_camera_shift", False),
    Check("blurred", "blur", "max_blur", False),
    Check("split_screen", "split", "max_split", False),
    Check("picture_in_picture", "inset", "max_inset", False),
    Check("text_overlay", "text", "max_text", False),
    Check("no_hands", "hand_s", "min_hand_s", True, "s "),
    Check("no_hands", "hand_ratio", "min_hand_ratio", True),
    Check("hands_too_small", "hand_size", "min_hand_size", True),
    Check("hands_cut_off", "hand_cut_off", "max_cut_off_ratio", False),
    Check("still_image", "change", "min_change", True),
    Check("not_a_person", "hand_skin", "min_hand_skin", True),
    Check("no_hand_motion", "hand_speed", "min_hand_speed", True),
    Check("no_object_motion", "object_motion", "min_object_motion", True),
)
"""Every comparison, in the order in which they are made."""

_BY_VALUE = {check.value: check for check in CHECKS}
_EPS = 1e-6  # s; times are sums of frame periods


def first_failed(measured: Mapping[str, float], params: ScreenParams) -> tuple[str, str]:
    """The first gate that measured values fail, and one line that says why; ``("ok", "")`` when none does.

    A value that is missing or NaN was not measured, and its gate is not asked.
    """
    for check in CHECKS:
        value = float(measured.get(check.value, np.nan))
        if _fails(check, value, params):
            return check.gate, explain(check.value, value, params)
    return "ok", ""


def explain(name: str, value: float, params: ScreenParams) -> str:
    """One line on a measured value that is out of bounds, with as many digits as it takes to see that it is."""
    check = _BY_VALUE[name]
    texts = (f"{value:.{digits}g}" for digits in range(3, 18))
    text = next((text for text in texts if _fails(check, float(text), params)), str(value))
    sense = "at least" if check.least else "at most"
    return f"{name} is {text}, expected {getattr(params, check.param):g} {check.unit}{sense}"


def _fails(check: Check, value: float, params: ScreenParams) -> bool:
    bound = float(getattr(params, check.param))
    return value < bound - (_EPS if check.unit else 0.0) if check.least else value > bound

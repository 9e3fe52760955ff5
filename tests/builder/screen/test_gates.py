from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.screen.gates import CHECKS, GATES, MEASURED, Check, first_failed
from hoiset.builder.screen.params import ScreenParams

PARAMS = ScreenParams(min_hand_skin=0.1)
GOOD = {
    "duration_s": 5.0,
    "black": 0.0,
    "camera_shift": 0.002,
    "change": 0.3,
    "blur": 0.3,
    "split": 0.1,
    "inset": 0.1,
    "text": 0.01,
    "hand_s": 4.0,
    "hand_ratio": 0.8,
    "hand_size": 0.3,
    "hand_cut_off": 0.1,
    "hand_score": 0.9,
    "hand_skin": 0.9,
    "hand_speed": 0.5,
    "object_motion": 0.2,
}
BAD = [
    ("too_short", "duration_s", 1.9),
    ("black_frames", "black", 0.5),
    ("camera_moves", "camera_shift", 0.02),
    ("blurred", "blur", 0.8),
    ("split_screen", "split", 0.9),
    ("picture_in_picture", "inset", 0.9),
    ("text_overlay", "text", 0.2),
    ("no_hands", "hand_s", 0.4),
    ("no_hands", "hand_ratio", 0.2),
    ("hands_too_small", "hand_size", 0.05),
    ("hands_cut_off", "hand_cut_off", 0.8),
    ("still_image", "change", 0.0),
    ("not_a_person", "hand_skin", 0.0),
    ("no_hand_motion", "hand_speed", 0.01),
    ("no_object_motion", "object_motion", 0.0),
]


def test_good_values_pass() -> None:
    assert set(GOOD) == set(MEASURED)
    assert first_failed(GOOD, PARAMS) == ("ok", "")


@pytest.mark.parametrize(("gate", "name", "value"), BAD)
def test_each_value_has_its_gate(gate: str, name: str, value: float) -> None:
    found, detail = first_failed({**GOOD, name: value}, PARAMS)
    assert found == gate
    assert gate in GATES
    assert detail.startswith(f"{name} is {value:g}, expected")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.value)
def test_what_is_printed_of_a_value_is_out_of_bounds_too(check: Check) -> None:
    bound = getattr(PARAMS, check.param)
    for off in (1e-5, 1e-3, 0.1):
        found, detail = first_failed({check.value: bound * (1 - off if check.least else 1 + off)}, PARAMS)
        printed = float(detail.split()[2].rstrip(","))
        assert found == check.gate
        assert printed < bound if check.least else printed > bound


@pytest.mark.parametrize("k", range(len(BAD)))
def test_the_first_gate_is_named_when_later_ones_fail_too(k: int) -> None:
    values = GOOD | {name: value for _, name, value in BAD[k:]}
    assert first_failed(values, PARAMS)[0] == BAD[k][0]


def test_what_was_not_measured_is_not_judged() -> None:
    assert first_failed({"duration_s": 3.0}, PARAMS)[0] == "ok"
    assert first_failed(dict.fromkeys(MEASURED, np.nan), PARAMS)[0] == "ok"


def test_every_check_has_a_gate_a_value_and_a_bound() -> None:
    assert all(c.gate in GATES and c.value in MEASURED and c.param in ScreenParams.model_fields for c in CHECKS)
    assert [GATES.index(c.gate) for c in CHECKS] == sorted(GATES.index(c.gate) for c in CHECKS)

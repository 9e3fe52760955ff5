from __future__ import annotations

import pyarrow as pa

from hoiset.cards.robots import robots_section


def index(position_m: float, ik_rate: float) -> pa.Table:
    values = {"ik_rate": ik_rate, "position_m": position_m, "rotation_rad": position_m, "joints": 16}
    return pa.table({"n_frames": [30], **{f"robots_leap_left_{name}": [value] for name, value in values.items()}})


def test_a_hand_that_goes_with_the_wrist_claims_no_rate() -> None:
    text = robots_section(index(0.0, 1.0))
    assert "| goes with the wrist |" in text
    assert "100.0 %" not in text


def test_a_robot_that_had_to_reach_states_its_rate() -> None:
    text = robots_section(index(1e-5, 1.0))
    assert "100.0 %" in text
    assert "| goes with the wrist |" not in text

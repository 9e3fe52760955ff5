from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.screen.draw import Draw, lot_of

LOTS = [lot_of(f"{i}.mp4", i % 3, 0.5 * i, 0.5 * i + 2) for i in range(300)]


def drawn(lots: list[int], gate: str = "no_hands") -> tuple[Draw, list[int]]:
    draw = Draw(passed=5, stopped=3)
    for lot in lots:
        draw.offer(gate, lot)
    return draw, [lot for lot in LOTS if draw.holds(gate, lot)]


@pytest.mark.parametrize(("gate", "n"), [("ok", 5), ("no_hands", 3)])
def test_the_least_are_drawn_in_any_order(gate: str, n: int) -> None:
    rng = np.random.default_rng(0)
    for order in (LOTS, LOTS[::-1], [LOTS[i] for i in rng.permutation(300)], LOTS + LOTS):
        assert sorted(drawn(order, gate)[1]) == sorted(LOTS)[:n]


def test_what_is_drawn_of_all_is_drawn_of_its_part() -> None:
    parts = [LOTS[k::7] for k in range(7)]
    assert set(drawn(LOTS)[1]) <= {lot for part in parts for lot in drawn(part)[1]}


def test_an_offer_tells_who_has_to_go() -> None:
    draw = Draw(stopped=2)
    assert [draw.offer("no_hands", lot) for lot in (5, 7, 9, 6, 6, 7)] == [None, None, 9, 7, None, 7]
    assert [draw.holds("no_hands", lot) for lot in (5, 6, 7, 9)] == [True, True, False, False]
    assert draw.offer("camera_moves", 100) is None


def test_every_part_of_a_name_counts() -> None:
    assert (
        len({lot_of("a", 0, 0.0, 1.0), lot_of("b", 0, 0.0, 1.0), lot_of("a", 1, 0.0, 1.0), lot_of("a", 0, 0.0, 2.0)})
        == 4
    )
    assert lot_of("a", 0, np.float64(0.1), 1.0) == lot_of("a", 0, 0.1, 1.0) < 1 << 64

from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.reconstruct.holding import held_path

FPS = 20
GRASP_S = 0.2


def spell(text: str, *which: str) -> np.ndarray:
    """(T,) frames whose letter is one of ``which``; a letter is a tenth of a second."""
    return np.repeat([c in which for c in text], FPS // 10)


def path(left: str, right: str, rest: str) -> list[str]:
    """Held frames of either hand, ``#`` or ``.``.

    A hand is away (``.``), touches and keeps still (``s``), moves with the object (``m``), moves and the object does
    not (``a``), or keeps still while the object moves (``o``); the object stands where it stands alone (``r``) or not.
    """
    hands = (left, right)
    touching = np.stack([~spell(h, ".") for h in hands], axis=1)
    together = np.stack([spell(h, "m") for h in hands], axis=1)
    apart = np.stack([spell(h, "a", "o") for h in hands], axis=1)
    moving = np.any([spell(h, "m", "o") for h in hands], axis=0)
    time = np.arange(len(touching)) / FPS
    held = held_path(touching, together, apart, moving, spell(rest, "r"), time, GRASP_S)
    return ["".join("#" if x else "." for x in held[:: FPS // 10, h]) for h in range(2)]


def nobody(text: str) -> str:
    return "." * len(text)


@pytest.mark.parametrize("pause", [3, 20, 60])
def test_what_is_held_still_in_the_air_stays_held(pause: int) -> None:
    right = "..aa" + "m" * 5 + "s" * pause + "m" * 5 + "aa.."
    rest = "rrrr" + "." * (10 + pause) + "rrrr"
    assert path(nobody(right), right, rest)[1] == "...." + "#" * (10 + pause) + "...."


def test_a_hand_that_rests_on_a_thing_holds_it_once_it_moves() -> None:
    right = "..aassssssmmmmmsss.."
    rest = "rrrrrrrrrr.....rrrrr"
    assert path(nobody(right), right, rest)[1] == "..........#####....."


def test_a_short_pause_of_a_push_is_no_letting_go() -> None:
    right = "..mmmmssmmmm.."
    assert path(nobody(right), right, "rr" + "r" * 10 + "rr")[1] == "..##########.."


def test_a_hand_beside_a_thing_before_and_after_it_moves_it_does_not_hold_it() -> None:
    right = "ssssssmmmmssss"
    assert path(nobody(right), right, "." * 14)[1] == "......####...."


def test_a_hand_over_changes_hands_once() -> None:
    left = "..mmmmssssssoo...."
    right = "......aassssmmmm.."
    rest = "rr..............rr"
    held = path(left, right, rest)
    assert all(a == "#" or b == "#" for a, b in zip(held[0][2:16], held[1][2:16], strict=True))
    assert held[0][:8] == "..######"
    assert held[1][10:] == "..####.."
    assert held[0].count("#") + held[1].count("#") <= 15


def test_a_hand_beside_a_thing_that_passes_holds_nothing() -> None:
    right = "ssssssoooossss"
    assert path(nobody(right), right, "." * 14)[1] == "." * 14


def test_a_twitch_is_no_grasp() -> None:
    right = "..ssmsss.."
    assert path(nobody(right), right, "r" * 10)[1] == "." * 10


def test_two_hands_that_move_with_it_both_hold_it() -> None:
    both = "..mmmmssssmmmm.."
    assert path(both, both, "rr............rr") == ["..############.."] * 2


def test_one_frame_and_none() -> None:
    one = np.ones((1, 2), bool)
    assert held_path(one, one, ~one, one[:, 0], ~one[:, 0], np.zeros(1), GRASP_S).shape == (1, 2)
    none = one[:0]
    assert held_path(none, none, none, none[:, 0], none[:, 0], np.zeros(0), GRASP_S).shape == (0, 2)

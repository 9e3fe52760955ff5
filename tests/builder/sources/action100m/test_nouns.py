from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.sources.action100m.nouns import Nouns
from hoiset.builder.sources.action100m.params import NounParams, PrefilterParams
from hoiset.builder.sources.action100m.tree import Caption

NOUNS = Nouns(NounParams(), PrefilterParams())


@pytest.mark.parametrize(
    ("brief", "nouns"),
    [
        ("Pour water into the glass", "water glass"),
        ("Open and close the locker", "locker"),
        ("Slice the bread on the table", "bread"),
        ("Wipe the counter with a paper towel", "paper-towel"),
        ("Put the knives and the red cups on a tray", "knife red-cup tray"),
        ("Wash hands", ""),
        ("Tape the wrapped box and the broken wooden cutting board", "box wooden-cutting-board"),
        ("Touch leaves", "leaf"),
        ("Stir the remaining freshly cooked rice", "rice"),
        ("Talk to camera", ""),
        ("", ""),
    ],
)
def test_nouns_of_the_brief(brief: str, nouns: str) -> None:
    found = NOUNS.read(Caption(brief, "", "", ""))
    assert [noun for noun, _ in found] == [noun.replace("-", " ") for noun in nouns.split()]
    assert {field for _, field in found} <= {"gpt.action.brief"}


def test_the_detailed_action_adds_what_the_summary_says_too() -> None:
    detailed = "Lift the blue jug, press the lid and pour water past the vase."
    found = NOUNS.read(Caption("Pour water", detailed, "", "A hand lifts a jug with a lid."))
    assert found == (
        ("water", "gpt.action.brief"),
        ("blue jug", "gpt.action.detailed"),
        ("lid", "gpt.action.detailed"),
    )


def test_a_verb_is_no_object() -> None:
    caption = Caption(
        "Move locker", "Push the locker, then lift and lower it.", "", "A hand makes a lift of the locker."
    )
    assert NOUNS.read(caption) == (("locker", "gpt.action.brief"),)


def test_limits_are_parameters() -> None:
    caption = Caption("Stack the small blue metal soup cans, pots, pans, jars, lids and forks", "", "", "")
    assert len(NOUNS.read(caption)) == 5
    assert NOUNS.read(caption)[0][0] == "metal soup can"
    two = Nouns(NounParams(max_objects=2, max_modifiers=0, not_objects=("pot",)), PrefilterParams())
    assert [noun for noun, _ in two.read(caption)] == ["can", "pan"]


@given(*[st.text(max_size=60)] * 3)
def test_any_text_gives_at_most_five_distinct_nouns(brief: str, detailed: str, summary: str) -> None:
    nouns = [noun for noun, _ in NOUNS.read(Caption(brief, detailed, "", summary))]
    assert len(nouns) <= 5
    assert len({noun.split()[-1] for noun in nouns}) == len(nouns)

from __future__ import annotations

from typing import Any

import pytest

from hoiset.builder.sources.action100m.choosing import RULES, Chooser
from hoiset.builder.sources.action100m.params import Action100MParams
from hoiset.builder.sources.action100m.reading import Row
from tests.builder.sources.action100m.corpus import gpt, node, uid_of

UID = uid_of(1)


def row(nodes: Any, uid: Any = UID, duration_s: Any = 60) -> Row:
    return Row("a.parquet, row 1", uid, duration_s, nodes)


def test_every_rule_drops_its_own() -> None:
    nodes = [
        node("root", 0, 60, None, gpt()),
        node("wide", 0, 20, "root", gpt()),
        node("kept", 0, 10, "wide", gpt()),
        node("also", 10, 20, "wide", gpt("Close the lid")),
        node("talk", 20, 30, "root", gpt("Talk to camera", "a woman", detailed="Talk.", summary="She talks.")),
        node("none", 30, 40, "root", gpt("n/a")),
        node("empty", 40, 50, "root", gpt(" ")),
        node("short", 50, 53, "root", gpt()),
        node("leaf", 53, 60, "root"),
        node("bad", 9, 5, "root", gpt()),
    ]
    choice = Chooser(Action100MParams()).choose(row(nodes))
    assert choice.dropped == {
        "malformed": 1,
        "no_caption": 1,
        "no_action": 2,
        "too_short": 1,
        "too_long": 1,
        "prefilter": 1,
        "covered": 1,
    }
    assert tuple(choice.dropped) == RULES
    assert [(s.start_s, s.end_s, s.caption.brief) for s in choice.segments] == [
        (0, 10, "Pour water into the glass"),
        (10, 20, "Close the lid"),
    ]
    assert choice.segments[0].objects[0] == ("water", "gpt.action.brief")
    assert sum(choice.dropped.values()) + len(choice.segments) == choice.nodes == len(nodes)
    assert (choice.uid, choice.duration_s, choice.problem) == (UID, 60, "")


def test_rules_are_parameters() -> None:
    nodes = [node("root", 0, 60, None, gpt()), node("part", 0, 3, "root", gpt("Nothing"))]

    def chosen(**params: Any) -> list[float]:
        return [s.end_s for s in Chooser(Action100MParams(**params)).choose(row(nodes)).segments]

    assert chosen() == []
    assert chosen(max_duration_s=60) == [60]
    assert chosen(min_duration_s=1, max_duration_s=3) == [3]
    assert chosen(min_duration_s=1, max_duration_s=3, no_action=("nothing",)) == []
    assert chosen(min_duration_s=1, max_duration_s=60, covered_share=0.05) == [3]


def test_a_part_that_the_prefilter_drops_covers_nothing() -> None:
    talk = gpt("Talk to camera", "a woman", detailed="Talk.", summary="A woman talks.")
    nodes = [node("whole", 0, 20, None, gpt()), node("part", 0, 20, "whole", talk)]
    assert [s.end_s for s in Chooser(Action100MParams()).choose(row(nodes)).segments] == [20]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row([], uid=None), "video_uid is None, expected 11 characters"),
        (row([], uid=""), "video_uid is ''"),
        (row([], uid="x" * 12), "video_uid"),
        (row([], uid="--exec=rm \n"), "video_uid"),
        (row([], uid="abcdefghijé"), "video_uid"),
        (row([], uid="abcdefghijk\n"), "video_uid"),
        (row([], uid=["a"]), "video_uid"),
        (row(None), f"nodes of {UID} are not a list"),
        (row([None, node("x", 2, 1)]), f"all 2 nodes of {UID} are malformed"),
        (Row("b.json, row 1", problem="not JSON: x"), "not JSON: x"),
    ],
)
def test_a_row_that_is_no_video_has_a_problem(bad: Row, message: str) -> None:
    choice = Chooser(Action100MParams()).choose(bad)
    assert choice.problem.startswith(bad.where)
    assert message in choice.problem
    assert (choice.uid, choice.segments) == (bad.where, ())


@pytest.mark.parametrize("duration_s", [None, "60", True, 0, -5, float("nan"), float("inf"), 10**400])
def test_a_length_that_is_none_is_the_end_of_the_tree(duration_s: Any) -> None:
    choice = Chooser(Action100MParams()).choose(row([node("x", 3, 9)], duration_s=duration_s))
    assert (choice.duration_s, choice.problem) == (9, "")


def test_a_video_without_nodes_is_no_problem() -> None:
    choice = Chooser(Action100MParams()).choose(row([]))
    assert (choice.nodes, choice.segments, choice.problem) == (0, (), "")

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.sources.action100m.tree import Node, covered_s, parse_nodes, without_overlap
from tests.builder.sources.action100m.corpus import gpt, node


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    """Trees whose children lie within their parents and beside each other, as the published ones."""
    nodes: list[Node] = []

    def grow(parent_id: str | None, start_s: int, end_s: int, depth: int) -> None:
        node_id = str(len(nodes))
        nodes.append(Node(node_id, parent_id, float(start_s), float(end_s)))
        if depth and end_s - start_s > 1:
            cuts = draw(st.sets(st.integers(start_s, end_s), max_size=4))
            edges = sorted(cuts)
            for left, right in pairwise(edges):
                if draw(st.booleans()):
                    grow(node_id, left, right, depth - 1)

    grow(None, 0, draw(st.integers(1, 40)), 4)
    return nodes


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """Anything: parents that are not there, cycles, children outside their parents."""
    ids = [str(i) for i in range(draw(st.integers(0, 8)))]
    return [
        Node(i, draw(st.sampled_from([None, "nobody", *ids])), float(start), start + float(draw(st.integers(1, 9))))
        for i in ids
        for start in [draw(st.integers(0, 9))]
    ]


def ancestors(node: Node, nodes: list[Node]) -> list[Node]:
    by_id = {n.node_id: n for n in nodes}
    found = []
    while node.parent_id in by_id:
        node = by_id[node.parent_id]
        found.append(node)
    return found


def slow(nodes: list[Node], eligible: set[str], share: float) -> list[Node]:
    """The obvious way, by recursion and by counting quarter seconds."""

    def choose(node: Node) -> list[Node]:
        below = [c for child in nodes if child.parent_id == node.node_id for c in choose(child)]
        ticks = [node.start_s + i / 4 + 1 / 8 for i in range(round(4 * node.duration_s))]
        covered = sum(any(c.start_s < t < c.end_s for c in below) for t in ticks) / len(ticks)
        return [node] if node.node_id in eligible and (not below or covered < share) else below

    chosen = [c for root in nodes if root.parent_id is None for c in choose(root)]
    return sorted(chosen, key=lambda n: (n.start_s, n.end_s, n.node_id))


SHARES = st.sampled_from([0.2, 0.5, 0.8, 1.0])


@given(trees(), st.data(), SHARES)
def test_the_chosen_stand_for_what_was_dropped(nodes: list[Node], data: st.DataObject, share: float) -> None:
    eligible = data.draw(st.sets(st.sampled_from([n.node_id for n in nodes])))
    chosen = without_overlap(nodes, lambda n: n.node_id in eligible, share)
    ids = {n.node_id for n in chosen}
    assert ids <= eligible
    assert bool(ids) == bool(eligible)
    spans = {(n.start_s, n.end_s) for n in chosen}
    for one in (n for n in nodes if n.node_id in eligible - ids):
        below = [c for c in chosen if one in ancestors(c, nodes)]
        above = [a for a in ancestors(one, nodes) if a.node_id in ids]
        assert above or covered_s(one, below) >= share * one.duration_s or (one.start_s, one.end_s) in spans
    for one in chosen:
        assert not ids & {a.node_id for a in ancestors(one, nodes)}


@given(trees(), st.data())
def test_nothing_is_shown_twice(nodes: list[Node], data: st.DataObject) -> None:
    eligible = data.draw(st.sets(st.sampled_from([n.node_id for n in nodes])))
    chosen = without_overlap(nodes, lambda n: n.node_id in eligible, 0.5)
    assert all(a.end_s <= b.start_s for a, b in pairwise(chosen))


@given(trees(), st.data(), SHARES)
def test_the_obvious_way_chooses_the_same(nodes: list[Node], data: st.DataObject, share: float) -> None:
    eligible = data.draw(st.sets(st.sampled_from([n.node_id for n in nodes])))
    assert without_overlap(nodes, lambda n: n.node_id in eligible, share) == slow(nodes, eligible, share)


@given(graphs(), st.randoms(use_true_random=False), SHARES)
def test_any_graph_gives_distinct_spans_whatever_the_order(
    nodes: list[Node], shuffle: random.Random, share: float
) -> None:
    values = [node(n.node_id, n.start_s, n.end_s, n.parent_id) for n in nodes]
    parsed, malformed = parse_nodes(values)
    assert len(parsed) + malformed == len(values)
    chosen = without_overlap(parsed, lambda n: n.duration_s > 2, share)
    spans = [(n.start_s, n.end_s) for n in chosen]
    assert len(set(spans)) == len(spans)
    assert spans == sorted(spans)
    shuffled = list(values)
    shuffle.shuffle(shuffled)
    assert without_overlap(parse_nodes(shuffled)[0], lambda n: n.duration_s > 2, share) == chosen


def test_a_part_that_covers_enough_stands_for_the_whole() -> None:
    values = [node("w", 0, 20), node("a", 0, 8, "w"), node("b", 10, 14, "w"), node("aa", 0, 4, "a")]
    nodes, _ = parse_nodes(values)

    def chosen(share: float, *eligible: str) -> list[str]:
        return [n.node_id for n in without_overlap(nodes, lambda n: n.node_id in eligible, share)]

    assert chosen(0.5, "w", "a", "b") == ["a", "b"]
    assert chosen(0.7, "w", "a", "b") == ["w"]
    assert chosen(0.5, "w", "a") == ["w"]
    assert chosen(0.5, "w", "aa", "b") == ["w"]  # what is not chosen itself covers nothing
    assert chosen(0.5, "a", "aa", "b") == ["aa", "b"]


def test_a_tree_of_any_depth() -> None:
    n = 20_000
    nodes, _ = parse_nodes([node(str(i), 0, n - i, str(i - 1) if i else None) for i in range(n)])
    assert without_overlap(nodes, lambda _: True, 1.0)[0].node_id == "0"
    assert without_overlap(nodes, lambda _: True, 0.5)[0].node_id != "0"


GOOD = node("x", 1, 2, None, gpt())


@pytest.mark.parametrize(
    "change",
    [
        {"node_id": None},
        {"node_id": ""},
        {"node_id": 5},
        {"start": None},
        {"start": "1"},
        {"start": True},
        {"start": float("nan")},
        {"start": -1},
        {"end": float("inf")},
        {"end": 1},
        {"end": 0.5},
        {"end": 1.0001},
        {"end": 10**400},
        {"parent_id": 7},
        {"parent_id": "x"},
        {"gpt": "text"},
        {"gpt": ["text"]},
    ],
)
def test_a_malformed_node_costs_itself_only(change: dict[str, Any]) -> None:
    nodes, malformed = parse_nodes([{**GOOD, **change}, node("y", 5, 9)])
    assert [n.node_id for n in nodes] == ["y"]
    assert malformed == 1


@pytest.mark.parametrize("value", [None, 3, "node", [], [1]])
def test_what_is_no_node_is_malformed(value: Any) -> None:
    assert parse_nodes([value]) == ([], 1)


def test_the_second_node_of_an_id_is_malformed() -> None:
    nodes, malformed = parse_nodes([GOOD, {**GOOD, "end": 9}])
    assert [n.end_s for n in nodes] == [2]
    assert malformed == 1


def test_a_cycle_is_malformed_and_what_hangs_on_it_is_not() -> None:
    values = [
        node("a", 0, 5, "b"),
        node("b", 0, 5, "c"),
        node("c", 0, 5, "a"),
        node("d", 1, 3, "a"),
        node("e", 1, 2, "d"),
    ]
    nodes, malformed = parse_nodes(values)
    assert {n.node_id for n in nodes} == {"d", "e"}
    assert malformed == 3


def test_captions_with_holes() -> None:
    for said in ({}, {"action": None, "summary": "x"}, {"action": {"brief": 5}, "summary": {}}):
        (parsed,), _ = parse_nodes([{**GOOD, "gpt": said}])
        assert parsed.caption is not None
        assert (parsed.caption.brief, parsed.caption.summary) == ("", "")


def test_a_text_without_end_is_cut() -> None:
    (parsed,), _ = parse_nodes([{**GOOD, "gpt": gpt("pour " * 100_000)}])
    assert parsed.caption is not None
    assert len(parsed.caption.brief) <= 4000


def test_times_are_to_the_millisecond() -> None:
    (parsed,), _ = parse_nodes([node("x", 13.550000190734863, 219.14999389648438)])
    assert (parsed.start_s, parsed.end_s) == (13.55, 219.15)

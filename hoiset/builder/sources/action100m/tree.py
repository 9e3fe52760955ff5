"""A video's tree of segments: what its nodes say, and which of them stand for it without showing anything twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LONGEST_S = 1e7  # four months; beyond it a time is no time of a video
_LONGEST_TEXT = 4000


@dataclass(frozen=True)
class Caption:
    """What was written of a segment (``gpt``); ``""`` where a field is absent, cut at 4000 characters."""

    brief: str
    detailed: str
    actor: str
    summary: str


@dataclass(frozen=True)
class Node:
    """One segment of the tree.

    Attributes:
        node_id: Unique in its video.
        parent_id: Of the segment that holds it; ``None`` at the root.
        start_s: Start in the video, s, to the millisecond.
        end_s: End in the video, s.
        caption: What was written of it, or ``None``.
    """

    node_id: str
    parent_id: str | None
    start_s: float
    end_s: float
    caption: Caption | None = None

    @property
    def duration_s(self) -> float:
        """Length, s."""
        return self.end_s - self.start_s


def parse_nodes(values: Sequence[Any]) -> tuple[list[Node], int]:
    """The nodes of a video, ordered by start, end and id, and how many were malformed.

    Malformed is a node without an id of its own, without finite times that begin at 0 or later and grow, with a
    parent or caption of the wrong type, or on a cycle of parents. A parent that is not there makes its node a root.
    """
    nodes: dict[str, Node] = {}
    for value in values:
        node = _node(value)
        if node is not None and node.node_id not in nodes:
            nodes[node.node_id] = node
    for node_id in _on_cycles({node.node_id: node.parent_id for node in nodes.values()}):
        del nodes[node_id]
    ordered = sorted(nodes.values(), key=lambda n: (n.start_s, n.end_s, n.node_id))
    return ordered, len(values) - len(ordered)


def _node(value: Any) -> Node | None:
    if not isinstance(value, Mapping):
        return None
    node_id, parent_id, gpt = value.get("node_id"), value.get("parent_id"), value.get("gpt")
    start_s, end_s = _seconds(value.get("start")), _seconds(value.get("end"))
    if not isinstance(node_id, str) or not node_id or not (parent_id is None or isinstance(parent_id, str)):
        return None
    if start_s is None or end_s is None or end_s <= start_s or not (gpt is None or isinstance(gpt, Mapping)):
        return None
    return Node(node_id, parent_id, start_s, end_s, None if gpt is None else _caption(gpt))


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LONGEST_S:
        return None
    return round(float(value), 3)


def _caption(gpt: Mapping[str, Any]) -> Caption:
    return Caption(
        brief=_text(gpt, "action", "brief"),
        detailed=_text(gpt, "action", "detailed"),
        actor=_text(gpt, "action", "actor"),
        summary=_text(gpt, "summary", "brief"),
    )


def _text(gpt: Mapping[str, Any], part: str, field: str) -> str:
    inner = gpt.get(part)
    value = inner.get(field) if isinstance(inner, Mapping) else None
    return " ".join(value[:_LONGEST_TEXT].split()) if isinstance(value, str) else ""


def _on_cycles(parents: Mapping[str, str | None]) -> set[str]:
    """Ids whose chain of parents comes back to them."""
    done: set[str] = set()
    cyclic: set[str] = set()
    for first in parents:
        path: dict[str, int] = {}
        at: str | None = first
        while at is not None and at in parents and at not in done and at not in path:
            path[at] = len(path)
            at = parents[at]
        if at is not None and at in path:
            cyclic.update(node_id for node_id, place in path.items() if place >= path[at])
        done.update(path)
    return cyclic


def without_overlap(nodes: Sequence[Node], eligible: Callable[[Node], bool], covered_share: float) -> list[Node]:
    """Choose among a tree's eligible segments so that none lies within another.

    From the leaves up: where the segments chosen below one cover at least ``covered_share`` of its time, they stand
    for it (what is written of a part is more exact); else it stands for them. Of those with one and the same span,
    which only a malformed tree has, the first id stays.

    Args:
        nodes: Of one video, as :func:`parse_nodes` gives them.
        eligible: Which may be chosen.
        covered_share: 0 to 1.

    Returns:
        Ordered by start, end and id.
    """
    children: dict[str, list[Node]] = {node.node_id: [] for node in nodes}
    roots: list[Node] = []
    for node in nodes:
        siblings = children.get(node.parent_id) if node.parent_id is not None else None
        (roots if siblings is None else siblings).append(node)
    chosen: dict[str, list[Node]] = {}
    for node in _leaves_first(roots, children):
        below = [found for child in children[node.node_id] for found in chosen.pop(child.node_id)]
        stands = eligible(node) and covered_s(node, below) < covered_share * node.duration_s
        chosen[node.node_id] = [node] if stands else below
    ordered = sorted(
        (node for root in roots for node in chosen[root.node_id]), key=lambda n: (n.start_s, n.end_s, n.node_id)
    )
    return list({(node.start_s, node.end_s): node for node in reversed(ordered)}.values())[::-1]


def _leaves_first(roots: Sequence[Node], children: Mapping[str, Sequence[Node]]) -> Iterable[Node]:
    """Every node after its descendants, however deep the tree."""
    order: list[Node] = []
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting.extend(children[node.node_id])
    return reversed(order)


def covered_s(node: Node, others: Iterable[Node]) -> float:
    """How much of a segment's time the others cover together, s."""
    total, reached = 0.0, node.start_s
    for other in sorted(others, key=lambda n: n.start_s):
        start_s, end_s = max(other.start_s, reached), min(other.end_s, node.end_s)
        if end_s > start_s:
            total += end_s - start_s
            reached = end_s
    return total

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from hoiset.filter.nodes import Node
from hoiset.filter.pruning import Range, may_match
from tests.filter.trees import TREES, rows, slowly


@settings(max_examples=300, deadline=None)
@given(rows(), TREES)
def test_no_match_is_passed_over(found: list[dict[str, Any]], node: Node) -> None:
    def range_of(column: str) -> Range:
        values = [row[column] for row in found if row[column] is not None]
        return (min(values), max(values)) if values else None

    if any(slowly(row, node) for row in found):
        assert may_match(node, range_of)
    assert may_match(node, lambda _: None) or not any(slowly(row, node) for row in found)

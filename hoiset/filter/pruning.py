"""Whether any row of a row group can match, by the least and greatest values that the file's footer keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hoiset.filter.fields import Kind, field_named
from hoiset.filter.nodes import Always, And, Compares, Is, Node, Or

Range = tuple[Any, Any] | None
"""Least and greatest value of a column that are not null; ``None`` where they are not known."""


def may_match(node: Node, range_of: Callable[[str], Range]) -> bool:
    """Whether the tree may be true of a row.

    Args:
        node: The tree.
        range_of: Range of a column; not asked for lists.
    """
    match node:
        case And(nodes):
            return all(may_match(one, range_of) for one in nodes)
        case Or(nodes):
            return any(may_match(one, range_of) for one in nodes)
        case Always(value):
            return value
        case Compares(name, symbol, value):
            known = range_of(field_named(name).columns[0])
            if known is None:
                return True
            least, greatest = known
            return {"<": least < value, "<=": least <= value, ">": greatest > value, ">=": greatest >= value}[symbol]
        case Is(name, values):
            field = field_named(name)
            exact = field.kind in (Kind.TEXT, Kind.NUMBER) or field.name == "partition"
            known = range_of(field.columns[0]) if exact else None
            return known is None or any(known[0] <= value <= known[1] for value in values)
    return True

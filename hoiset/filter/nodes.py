"""What every query becomes, whichever way it was written: conditions, joined by and, or, not.

A condition is true or false of a clip, never unknown: one on a value that a clip lacks is false, so that ``not``,
``!=`` and ``not in`` are exact complements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow.compute as pc

Value = str | float | int


@dataclass(frozen=True)
class Always:
    """True or false of every clip."""

    value: bool


@dataclass(frozen=True)
class Is:
    """The field is one of the values; of a field of several items, any item is."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Matches:
    """The field contains one of the texts; of an object, its last words are one of the phrases."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Compares:
    """The field is a number on that side of the value."""

    field: str
    operator: Literal["<", "<=", ">", ">="]
    value: float | int


@dataclass(frozen=True)
class IsNull:
    """The clip has no such value: null, an empty text or no items."""

    field: str


@dataclass(frozen=True, eq=False)
class Arrow:
    """An expression of Arrow over some columns of the index; null is false."""

    expression: pc.Expression
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Not:
    """The node is false."""

    node: Node


@dataclass(frozen=True)
class And:
    """All nodes are true."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """Any node is true."""

    nodes: tuple[Node, ...]


Condition = Is | Matches | Compares | IsNull | Arrow | Always
Node = Condition | Not | And | Or


def conditions(node: Node) -> Iterator[Condition]:
    """All conditions of a tree, from left to right."""
    if isinstance(node, Not):
        yield from conditions(node.node)
    elif isinstance(node, And | Or):
        for one in node.nodes:
            yield from conditions(one)
    else:
        yield node


def to_text(node: Node) -> str:
    """The query that a tree is read from: parsing it gives an equal tree. One of Arrow is in Arrow's own words."""
    match node:
        case Always(value):
            return str(value).lower()
        case Is(field, (value,)):
            return f"{field} = {_literal(value)}"
        case Is(field, values):
            return f"{field} in {_list(values)}"
        case Matches(field, (value,)):
            return f"{field} ~ {_literal(value)}"
        case Matches(field, values):
            return f"{field} ~ {_list(values)}"
        case Compares(field, operator, value):
            return f"{field} {operator} {_literal(value)}"
        case IsNull(field):
            return f"{field} is null"
        case Arrow(expression, _):
            return str(expression)
        case Not(inner):
            return f"not {_grouped(inner)}"
        case And(nodes):
            return " and ".join(map(_grouped, nodes))
        case Or(nodes):
            return " or ".join(map(_grouped, nodes))


def _grouped(node: Node) -> str:
    return f"({to_text(node)})" if isinstance(node, And | Or) else to_text(node)


def _literal(value: Value) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)


def _list(values: tuple[Value, ...]) -> str:
    return f"({', '.join(map(_literal, values))})"

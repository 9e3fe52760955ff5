"""Keywords, and the options of the command line, as a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hoiset.errors import FilterError
from hoiset.filter.fields import Wrong, condition
from hoiset.filter.nodes import Always, And, Node

KEYWORDS: Mapping[str, tuple[str, str]] = {
    "verb": ("verb", "="),
    "object": ("object", "~"),
    "grasp": ("grasp", "="),
    "state": ("state", "="),
    "action": ("action", "~"),
    "partition": ("partition", "="),
    "uid": ("uid", "="),
    "key": ("key", "="),
    "licence": ("licence", "="),
    "min_quality": ("quality", ">="),
    "min_hand_valid": ("hand_valid_ratio", ">="),
    "min_duration_s": ("duration_s", ">="),
    "max_duration_s": ("duration_s", "<="),
    "min_objects": ("n_objects", ">="),
    "min_manipulated": ("n_manipulated", ">="),
}
"""Keyword -> field and operator."""


def from_keywords(keywords: Mapping[str, Any]) -> Node:
    """The tree of keywords, all of which must match; ``None`` as a value is no condition.

    Raises:
        FilterError: Unknown keyword or value; the message lists those that there are.
    """
    nodes = []
    for name, value in keywords.items():
        if name not in KEYWORDS:
            raise FilterError(f"unknown filter {name!r}; filters: {', '.join(sorted(KEYWORDS))}")
        if value is not None:
            nodes.append(_condition(name, value))
    if not nodes:
        return Always(True)
    return nodes[0] if len(nodes) == 1 else And(tuple(nodes))


def _condition(name: str, value: Any) -> Node:
    field, operator = KEYWORDS[name]
    bound = operator in (">=", "<=")
    listed = isinstance(value, Sequence | set | frozenset) and not isinstance(value, str)
    values = (sorted(value) if isinstance(value, set | frozenset) else list(value)) if listed else [value]
    if not values or (listed and bound):
        raise FilterError(f"{name}: found {value!r}, expected {'a number' if bound else 'a word or a list of words'}")
    try:
        return condition(field, operator, values)
    except Wrong as error:
        said = str(error)
        raise FilterError(name + said.removeprefix(field) if said.startswith(field) else f"{name}: {said}") from None

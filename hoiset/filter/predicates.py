"""Keyword predicates over the clip index, evaluated in Arrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hoiset.errors import FilterError
from hoiset.shards.schema import PARTITIONS, ObjectState

Words = str | Sequence[str]
GRASPS = ("left", "right", "both", "any", "none")
STATES = tuple(s.name.lower() for s in ObjectState if s is not ObjectState.ABSENT)


def select(table: pa.Table, **filters: Any) -> pa.Table:
    """Rows of the index that match all filters; ``None`` as a value means no such filter.

    Args:
        table: The index (:func:`hoiset.open_index`), or any table with the columns that the filters look at.
        **filters: Any of

            - ``verb``: lemma or lemmas, any of which is the clip's.
            - ``object``: noun or nouns; one matches a noun of the text or an object's label when it is the whole phrase
              or its last word (``"plate"`` matches ``"paper plate"``).
            - ``grasp``: ``left``, ``right``, ``both`` (one object in both hands), ``any`` or ``none``.
            - ``state``: object state or states, any of which occurs.
            - ``action``: text that the action sentence contains.
            - ``partition``: ``train``, ``validation`` or ``test``, or several.
            - ``uid``, ``key``, ``licence``: exactly one of these.
            - ``min_quality``, ``min_hand_valid``, ``min_duration_s``, ``max_duration_s``, ``min_objects``,
              ``min_manipulated``: bounds, inclusive; a clip without the value does not match.

            Words are compared without regard to case.

    Returns:
        The matching rows, in order.

    Raises:
        FilterError: Unknown filter or value; the message lists those that there are.
    """
    masks = []
    for name, value in filters.items():
        if name not in _PREDICATES:
            raise FilterError(f"unknown filter {name!r}; filters: {', '.join(sorted(_PREDICATES))}")
        if value is not None:
            masks.append(_PREDICATES[name](table, name, value))
    return table.filter(reduce(pc.and_, masks)) if masks else table


def filter_names() -> tuple[str, ...]:
    """Names of all filters."""
    return tuple(_PREDICATES)


def _words(name: str, value: Words) -> list[str]:
    words = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
    if not words or not all(isinstance(w, str) and w.strip() for w in words):
        raise FilterError(f"{name}: found {value!r}, expected a word or a list of words")
    return [" ".join(w.lower().split()) for w in words]


def _one_of(name: str, value: Words, valid: Sequence[str]) -> list[str]:
    words = _words(name, value)
    for word in words:
        if word not in valid:
            raise FilterError(f"{name}: found {word!r}, expected one of {', '.join(valid)}")
    return words


def _in(column: pa.ChunkedArray | pa.Array, words: Sequence[str]) -> Any:
    return pc.is_in(column, value_set=pa.array(words, pa.string()))


def _any_item(table: pa.Table, column: str, match: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Per row, whether any item of a list column matches."""
    lists = table[column].combine_chunks()
    rows = pc.filter(pc.list_parent_indices(lists), match(pc.list_flatten(lists)))
    return pc.is_in(pa.array(range(table.num_rows), pa.int64()), value_set=rows.cast(pa.int64()))


def _verb(table: pa.Table, name: str, value: Words) -> pa.ChunkedArray:
    return _in(pc.utf8_lower(table[name]), _words(name, value))


def _object(table: pa.Table, name: str, value: Words) -> pa.Array:
    words = _words(name, value)

    def match(items: pa.Array) -> pa.Array:
        phrases = pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(items), r"\s+", " "))
        heads = pc.replace_substring_regex(phrases, "^.* ", "")
        return pc.fill_null(pc.or_(_in(phrases, words), _in(heads, words)), False)

    return pc.or_(_any_item(table, "nouns", match), _any_item(table, "labels", match))


def _grasp(table: pa.Table, name: str, value: Words) -> pa.Array:
    words = _one_of(name, value, GRASPS)
    masks = []
    for word in words:
        held = pc.greater(pc.list_value_length(table["grasps"]), 0)
        if word in ("any", "none"):
            masks.append((held if word == "any" else pc.invert(held)).combine_chunks())
        else:
            masks.append(_any_item(table, "grasps", partial(_in, words=[word])))
    return reduce(pc.or_, masks)


def _state(table: pa.Table, name: str, value: Words) -> pa.Array:
    words = _one_of(name, value, STATES)
    return _any_item(table, "states", lambda items: _in(items, words))


def _action(table: pa.Table, name: str, value: Words) -> pa.ChunkedArray:
    text = pc.fill_null(table[name], "")
    return reduce(pc.or_, (pc.match_substring(text, word, ignore_case=True) for word in _words(name, value)))


def _partition(table: pa.Table, name: str, value: Words) -> pa.ChunkedArray:
    return _in(table[name], _one_of(name, value, PARTITIONS))


def _exact(table: pa.Table, name: str, value: Words) -> pa.ChunkedArray:
    values = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
    if not values or not all(isinstance(v, str) for v in values):
        raise FilterError(f"{name}: found {value!r}, expected a string or a list of strings")
    return _in(table[name], values)


def _bound(column: str, compare: Callable[..., Any]) -> Callable[[pa.Table, str, Any], pa.ChunkedArray]:
    def predicate(table: pa.Table, name: str, value: Any) -> pa.ChunkedArray:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
            raise FilterError(f"{name}: found {value!r}, expected a number")
        return pc.fill_null(compare(table[column], value), False)

    return predicate


_PREDICATES: dict[str, Callable[[pa.Table, str, Any], Any]] = {
    "verb": _verb,
    "object": _object,
    "grasp": _grasp,
    "state": _state,
    "action": _action,
    "partition": _partition,
    "uid": _exact,
    "key": _exact,
    "licence": _exact,
    "min_quality": _bound("quality", pc.greater_equal),
    "min_hand_valid": _bound("hand_valid_ratio", pc.greater_equal),
    "min_duration_s": _bound("duration_s", pc.greater_equal),
    "max_duration_s": _bound("duration_s", pc.less_equal),
    "min_objects": _bound("n_objects", pc.greater_equal),
    "min_manipulated": _bound("n_manipulated", pc.greater_equal),
}

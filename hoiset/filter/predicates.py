"""The rows of a table of clips that match."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from hoiset.filter.keywords import KEYWORDS
from hoiset.filter.query import Where, parse


def select(table: pa.Table, where: Where = None, **keywords: Any) -> pa.Table:
    """Rows of the index that match a query and all keywords; ``None`` as a value means no such condition.

    Args:
        table: The index (:func:`hoiset.open_index`), or any table with the columns that are looked at. Of one that is
            too large for memory, :func:`hoiset.filter.select_index` reads what is needed.
        where: A query's text (docs/filter.md), an expression over the index's columns, or a mapping of keywords.
        **keywords: Any of

            - ``verb``: verb or verbs in any form, any of which, or a synonym, is the clip's.
            - ``object``: noun or nouns; one matches a noun of the text or an object's label when it is the whole phrase
              or its last words (``"plate"`` matches ``"paper plates"``).
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
        QueryError: The query's text cannot be read; the message shows where.
        FilterError: Unknown keyword or value; the message lists those that there are.
    """
    return table.filter(parse(where, **keywords).mask(table))


def filter_names() -> tuple[str, ...]:
    """Names of all keywords."""
    return tuple(KEYWORDS)

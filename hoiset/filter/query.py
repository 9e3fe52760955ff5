"""A query: what is asked of the clip index, however it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hoiset.errors import FilterError
from hoiset.filter.keywords import from_keywords
from hoiset.filter.masks import columns_of, mask
from hoiset.filter.nodes import Always, And, Arrow, Node, to_text
from hoiset.filter.parsing import parse_text
from hoiset.shards.index import index_schema


@dataclass(frozen=True)
class Query:
    """A condition on clips.

    Attributes:
        node: Its tree.
        text: As it was written, or as it could have been.
    """

    node: Node
    text: str = field(compare=False)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the index that it looks at."""
        return columns_of(self.node)

    def mask(self, table: pa.Table | pa.RecordBatch) -> pa.BooleanArray:
        """Per row of a table with at least :attr:`columns`, whether it matches.

        Raises:
            FilterError: The table lacks a column.
        """
        missing = [name for name in self.columns if name not in table.schema.names]
        if missing:
            raise FilterError(f"found a table without {', '.join(missing)}, expected the columns of a clip index")
        parts = table.select(list(self.columns)).to_batches() if isinstance(table, pa.Table) else [table]
        if not self.columns:
            return pa.array(mask(self.node, {}, table.num_rows))
        masks = [mask(self.node, {n: part.column(n) for n in self.columns}, part.num_rows) for part in parts]
        return pa.array(np.concatenate(masks) if masks else np.zeros(0, bool))

    def __and__(self, other: Query) -> Query:
        """Both at once."""
        nodes = [query.node for query in (self, other) if query.node != Always(True)]
        return as_query(And(tuple(nodes))) if len(nodes) > 1 else as_query(nodes[0] if nodes else Always(True))


Where: TypeAlias = str | Mapping[str, Any] | pc.Expression | Query | None
"""A query's text, keywords, an expression over the index's columns, or a query; ``None`` is every clip."""


def as_query(node: Node) -> Query:
    """The query of a tree."""
    return Query(node, to_text(node))


def parse(where: Where = None, **keywords: Any) -> Query:
    """Read a query.

    Args:
        where: ``'verb = "pour" and object ~ "mug"'`` (docs/filter.md), the same as keywords, or an expression.
        **keywords: What must match too, see :func:`hoiset.filter.select`; ``None`` as a value is no condition.

    Raises:
        QueryError: The text cannot be read; the message shows where.
        FilterError: An unknown keyword, or a value of another type; the message lists those that there are.
    """
    first = _read(where)
    if not any(value is not None for value in keywords.values()):
        from_keywords(keywords)
        return first
    return first & as_query(from_keywords(keywords))


def _read(where: Where) -> Query:
    if where is None:
        return as_query(Always(True))
    if isinstance(where, Query):
        return where
    if isinstance(where, str):
        return Query(parse_text(where), where)
    if isinstance(where, pc.Expression):
        return as_query(_arrow(where))
    if isinstance(where, Mapping):
        return as_query(from_keywords(where))
    raise FilterError(f"found {type(where).__name__}, expected a query's text, keywords or a pyarrow expression")


def _arrow(expression: pc.Expression) -> Arrow:
    """Arrow does not tell an expression's columns; one without which it cannot be bound is one of them."""
    empty = index_schema().empty_table()
    try:
        empty.filter(expression)
    except (pa.ArrowException, TypeError) as error:
        names = ", ".join(empty.column_names)
        raise FilterError(f"cannot ask {expression} of the index ({error}); columns: {names}") from error
    return Arrow(expression, tuple(n for n in empty.column_names if not _binds(expression, empty.drop_columns(n))))


def _binds(expression: pc.Expression, table: pa.Table) -> bool:
    try:
        table.filter(expression)
    except pa.ArrowException:
        return False
    return True

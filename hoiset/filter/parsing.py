"""From a query's text to its tree; what is wrong is shown at the character where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from rich.cells import cell_len

from hoiset.errors import QueryError
from hoiset.filter.fields import Wrong, condition
from hoiset.filter.nodes import Always, And, Node, Not, Or

GRAMMAR_FILE = "grammar.lark"
MAX_DEPTH = 100
MAX_BEFORE = 100
"""Characters of a long line that are shown before and after what is wrong."""

_EXPECTED = {
    "FIELD": "a field",
    "STRING": "a value",
    "NUMBER": "a value",
    "BOOLEAN": "",
    "COMPARISON": "= != < <= > >=",
    "MATCHES": "~",
    "IN": "in",
    "NULL": "null",
    "_IS": "is",
    "_NOT": "not",
    "_AND": "and",
    "_OR": "or",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "$END": "the end",
}


def parse_text(query: str) -> Node:
    """Read a query.

    Raises:
        QueryError: With the query's line, a mark under the place, and what was expected there.
    """
    try:
        node: Node = _parser().parse(query)  # type: ignore[assignment]
        if _depth(node) > MAX_DEPTH:
            raise RecursionError
    except UnexpectedToken as error:
        raise _unexpected_token(query, error) from None
    except UnexpectedCharacters as error:
        raise _unexpected_character(query, error.pos_in_stream or 0) from None
    except _At as error:
        raise error.in_query(query) from None
    except (RecursionError, UnexpectedInput):
        raise QueryError(f"the query is nested more than {MAX_DEPTH} deep; write it flatter", query) from None
    return node


def pointing(message: str, query: str, start: int, end: int) -> QueryError:
    """An error whose message shows the query's line and carets under ``query[start:end]``."""
    first = query.rfind("\n", 0, start) + 1
    last = query.find("\n", start) if "\n" in query[start:] else len(query)
    line, marked = _printable(query[first:last]), _printable(query[start : max(start, min(end, last))])
    before = _printable(query[first:start])
    cut = max(len(before) - MAX_BEFORE, 0)
    if cut:
        before, line = "..." + before[cut:], "..." + line[cut:]
    if len(line) > (most := len(before) + max(len(marked), MAX_BEFORE)):
        line = line[:most] + "..."
    carets = " " * cell_len(before) + "^" * max(cell_len(marked), 1)
    head, newline, rest = message.partition("\n")
    return QueryError(f"{head}\n  {line}\n  {carets}{newline}{rest}", query, start, max(start, end))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _depth(node: Node) -> int:
    if isinstance(node, Not):
        return 1 + _depth(node.node)
    return 1 + max(map(_depth, node.nodes)) if isinstance(node, And | Or) else 1


class _At(Exception):  # noqa: N818
    """Something is wrong with what a token says."""

    def __init__(self, token: Token, message: str) -> None:
        super().__init__(message)
        self.token = token

    def in_query(self, query: str) -> QueryError:
        return pointing(str(self), query, self.token.start_pos or 0, self.token.end_pos or 0)


@cache
def _parser() -> Lark:
    grammar = files("hoiset.filter").joinpath(GRAMMAR_FILE).read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="basic", transformer=_ToNodes())


class _ToNodes(Transformer[Token, Node]):
    """Every rule of the grammar to its node."""

    def either(self, nodes: list[Node]) -> Node:
        return Or(tuple(nodes))

    def both(self, nodes: list[Node]) -> Node:
        return And(tuple(nodes))

    def negated(self, nodes: list[Node]) -> Node:
        return Not(nodes[0])

    def constant(self, tokens: list[Token]) -> Node:
        return Always(tokens[0].lower() == "true")

    def values(self, tokens: list[Token]) -> list[Token]:
        return tokens

    def compared(self, parts: list[Any]) -> Node:
        field, operator, given = parts
        values = given if isinstance(given, list) else [given]
        found = _condition(field, operator, values)
        return Not(found) if operator == "!=" else found

    def not_listed(self, parts: list[Any]) -> Node:
        return Not(_condition(*parts))

    def absent(self, tokens: list[Token]) -> Node:
        return _condition(tokens[0], tokens[1], [], "is null")

    def present(self, tokens: list[Token]) -> Node:
        return Not(self.absent(tokens))


def _condition(field: Token, operator: Token, values: list[Token], meaning: str = "") -> Node:
    kind = meaning or ("=" if operator in ("=", "==", "!=") else str(operator).lower())
    try:
        return condition(str(field), kind, [_value(token) for token in values])
    except Wrong as error:
        token = {"field": field, "operator": operator}.get(str(error.part))
        raise _At(values[int(error.part)] if token is None else token, str(error)) from None


def _value(token: Token) -> str | float | int | bool:
    if token.type == "STRING":
        return re.sub(r"\\([\s\S])", r"\1", token[1:-1])
    if token.type == "BOOLEAN":
        return token.lower() == "true"
    return int(token) if re.fullmatch(r"[+-]?\d{1,18}", token) else float(token)


def _expected(names: Iterable[str]) -> str:
    words = dict.fromkeys(_EXPECTED[name] for name in _EXPECTED if name in set(names))
    listed = [word for word in words if word]
    return f"expected {'one of: ' if len(listed) > 1 else ''}{', '.join(listed)}"


def _unexpected_token(query: str, error: UnexpectedToken) -> QueryError:
    token, allowed = error.token, set(error.accepts or error.expected)
    if token.type == "$END":
        end = len(query.rstrip())
        return pointing(f"the query ends too early: {_expected(allowed)}", query, end, end)
    expected = _expected(allowed)
    if token.type == "FIELD" and "STRING" in allowed:
        expected = f'expected a value: a number, or words in quotes: "{token}"'
    return pointing(f"found {str(token)!r}: {expected}", query, token.start_pos or 0, token.end_pos or 0)


def _unexpected_character(query: str, at: int) -> QueryError:
    """What no token begins with; what could have stood there is what the query before it lacks."""
    if query[at] in "\"'":
        return pointing(f"the string has no closing {query[at]}", query, at, len(query))
    expected = _expected(("_AND", "_OR", "$END"))
    try:
        _parser().parse(query[:at])
    except UnexpectedToken as error:
        if error.token.type != "$END":
            return _unexpected_token(query, error)
        expected = _expected(error.accepts or error.expected)
    except _At as error:
        return error.in_query(query)
    word = re.compile(r"[\w.]+|[\s\S]").match(query, at)
    found = word[0] if word else query[at]
    return pointing(f"found {found!r}: {expected}", query, at, at + len(found))

"""Where two values of plain JSON types differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_NOTHING = object()


def differences(a: Any, b: Any, where: str = "") -> Iterator[str]:
    """Dotted paths of the leaves, or whole lists, that are not equal; in order."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted({*a, *b}):
            at = f"{where}.{name}" if where else str(name)
            yield from differences(a.get(name, _NOTHING), b.get(name, _NOTHING), at)
    elif a != b:
        yield where


def value_at(value: Any, where: str) -> Any:
    """What stands at a path of :func:`differences`; ``None`` where nothing does."""
    for name in where.split(".") if where else ():
        value = value.get(name) if isinstance(value, dict) else None
    return value

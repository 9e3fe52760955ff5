"""Names of the tags that pin what was pushed: ``v2.0.0``, ``v2.1.0``, ..."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hoiset.errors import PushError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def version_key(version: str) -> tuple[bool, int, str]:
    """Order of versions: ``v2`` before ``v10``, names without a number before both."""
    numbered = re.fullmatch(r"v(\d{1,9})", version)
    return (True, int(numbered[1]), "") if numbered else (False, 0, version)


def series(version: str) -> str:
    """What the tags of a version begin with: ``v2.`` for ``v2``, ``demo-v1.`` for ``demo``."""
    return f"{version}." if version_key(version)[0] else f"{version}-v1."


def latest_tag(version: str, tags: Iterable[str]) -> str | None:
    """The highest of a version's tags."""
    numbers = [number for tag in tags if (number := _number(version, tag)) is not None]
    return _named(version, max(numbers)) if numbers else None


def next_tag(version: str, latest: str | None, *, data_changed: bool) -> str:
    """The tag after ``latest``: another minor number where clips changed, another patch number where only words did."""
    number = _number(version, latest) if latest else None
    if number is None:
        return _named(version, (0, 0))
    minor, patch = number
    return _named(version, (minor + 1, 0) if data_changed else (minor, patch + 1))


def check_tag(tag: str) -> str:
    """The tag, if it can be one; raises PushError."""
    if not _NAME.fullmatch(tag) or ".." in tag or tag.endswith((".", ".lock")):
        raise PushError(f"found the tag {tag!r}, expected letters, digits, dots and dashes, such as v2.0.0")
    return tag


def _number(version: str, tag: str) -> tuple[int, int] | None:
    found = re.fullmatch(re.escape(series(version)) + r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", tag)
    return (int(found[1]), int(found[2])) if found else None


def _named(version: str, number: tuple[int, int]) -> str:
    return f"{series(version)}{number[0]}.{number[1]}"

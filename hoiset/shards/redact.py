"""Addresses and errors without what is secret in them."""

from __future__ import annotations

import re

_USER = re.compile(r"(\w+://)[^/\s'\"]*@")
_QUERY = re.compile(r"(\w+://[^\s?'\"]+)\?[^\s'\"]*")
_TOKEN = re.compile(r"\b(hf_|Bearer\s+)[\w.~+/-]{4,}")


def printable(url: str) -> str:
    """An address without user, password and query (where signatures stand)."""
    return redacted(url)


def redacted(text: str) -> str:
    """A text, such as a client's error, without what is secret in its addresses, and without tokens."""
    text = _QUERY.sub(r"\1", _USER.sub(r"\1", text))
    return " ".join(_TOKEN.sub(r"\1...", text).split())

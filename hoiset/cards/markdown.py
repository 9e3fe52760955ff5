"""Markdown of numbers and of words that nobody vouches for."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlsplit, urlunsplit

MAX_ROWS = 20
MAX_URL = 300
_MARKUP = "&<>|`[]*!\\$"


def cell(text: str, most: int = 80) -> str:
    """Untrusted words in a line or a table: one line, no markup, at most so many letters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = line if len(line) <= most else line[: most - 1].rstrip() + "…"
    # an address that is left bare would become a link
    line = "".join(f"&#{ord(c)};" if c in _MARKUP else c for c in line)
    return line.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;") or "(unknown)"


def link(text: str, url: str) -> str:
    """Untrusted words that lead to an untrusted address, where that is one of the web; else the words alone.

    Names and passwords are left out of the address, and what markdown could take for its own is percent-encoded.
    """
    words = cell(text)
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return words
    if parts.scheme not in ("http", "https") or not host or not host.isascii() or len(url) > MAX_URL:
        return words
    if not all(c.isalnum() or c in ".-" for c in host):
        return words
    path, query = (quote(part, safe="/:@%=&+,;~-._") for part in (parts.path, parts.query))
    return f"[{words}]({urlunsplit((parts.scheme, host + port, path, query, ''))})"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, right: Iterable[int] = ()) -> str:
    """A table; the columns of numbers, by their places, are set to the right."""
    columns = set(right)
    rule = tuple("---:" if i in columns else "---" for i in range(len(header)))
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *rows)) + "\n"


def counted(title: str, counts: list[tuple[str, int]], unit: str) -> str:
    """A table of the most frequent of something, and how many more there are."""
    if not counts:
        return ""
    rows = [(cell(name), f"{n:,}") for name, n in counts[:MAX_ROWS]]
    rest = f"\nand {len(counts) - MAX_ROWS:,} more.\n" if len(counts) > MAX_ROWS else ""
    return table((title, unit), rows, right=(1,)) + rest + "\n"


def details(summary: str, body: str) -> str:
    """Something to unfold."""
    return f"<details><summary>{summary}</summary>\n\n{body.strip()}\n\n</details>\n" if body.strip() else ""


def duration(hours: float) -> str:
    """Such as 2.5 h, 12 min or 45 s."""
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:.0f} min" if hours * 60 >= 5 else f"{hours * 3600:.0f} s"


def size(n_bytes: float) -> str:
    """Such as 12 MB; powers of ten."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.3g} {unit}"
    return f"{n_bytes:.0f} B"

"""A user's cookies file: read once, kept in memory, never written."""

from __future__ import annotations

import hashlib
import http.cookiejar
from dataclasses import dataclass, field
from pathlib import Path

from hoiset.errors import SourceError


@dataclass(frozen=True)
class Cookies:
    """What the user lets us show to hosts.

    Attributes:
        text: Of the file, or ``""``.
        jar: The same, parsed.
    """

    text: str = field(default="", repr=False)
    jar: http.cookiejar.CookieJar = field(default_factory=http.cookiejar.CookieJar, repr=False)

    @property
    def digest(self) -> str:
        """Tells one file from another without giving it away."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def load_cookies(path: Path | None) -> Cookies:
    """Read a cookies file; no cookies where there is none.

    Raises:
        SourceError: It cannot be read, or is not in Netscape's format. The message holds none of its values.
    """
    if path is None:
        return Cookies()
    jar = http.cookiejar.MozillaCookieJar()
    try:
        text = path.read_text(encoding="utf-8")
        jar.load(str(path), ignore_discard=True, ignore_expires=True)
    except http.cookiejar.LoadError:
        raise SourceError(
            f"the cookies file {path} is not in Netscape's format; export it with a browser's add-on for cookies.txt"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SourceError(f"the cookies file {path} cannot be read: {reason}") from None
    for cookie in jar:
        if cookie.expires == 0:  # how browsers' add-ons write a cookie of the session
            cookie.expires, cookie.discard = None, True
    return Cookies(text, jar)

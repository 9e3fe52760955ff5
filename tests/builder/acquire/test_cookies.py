from __future__ import annotations

from pathlib import Path

import pytest

from hoiset.builder.acquire.cookies import load_cookies
from hoiset.errors import SourceError

LINE = ".example.org\tTRUE\t/\tTRUE\t0\tpass\tsesame\n"


def test_cookies_are_read_and_kept_from_view(tmp_path: Path):
    path = tmp_path / "cookies.txt"
    path.write_text("# Netscape HTTP Cookie File\n" + LINE + "#HttpOnly_" + LINE.replace("pass", "more"))
    cookies = load_cookies(path)
    assert sorted((c.name, c.value, c.expires) for c in cookies.jar) == [
        ("more", "sesame", None),
        ("pass", "sesame", None),
    ]
    assert "sesame" not in repr(cookies)


def test_no_cookies():
    assert (load_cookies(None).text, list(load_cookies(None).jar)) == ("", [])


@pytest.mark.parametrize("content", [b"pass=sesame", b"\xff\xfe", None])
def test_what_is_no_cookies_file_is_an_error_that_gives_nothing_away(tmp_path: Path, content: bytes | None):
    path = tmp_path / "cookies.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match="the cookies file") as caught:
        load_cookies(path)
    assert "sesame" not in str(caught.value)
    assert caught.value.__suppress_context__

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.acquire.address import parse_address
from hoiset.builder.sources import open_source
from hoiset.errors import AcquireError

ID = "-wtIMTCHWuI"


@pytest.mark.parametrize(
    "spelling",
    [
        f"youtube:{ID}",
        f"https://www.youtube.com/watch?v={ID}",
        f"http://m.youtube.com/watch?list=PL1&v={ID}&t=9s#x",
        f"https://youtu.be/{ID}?si=abc",
        f"https://www.youtube.com/shorts/{ID}",
        f"https://www.youtube-nocookie.com/embed/{ID}",
    ],
)
def test_every_spelling_of_a_youtube_video_is_the_same(spelling: str):
    address = parse_address(spelling)
    assert (address.name, address.youtube_id, address.host) == (f"youtube:{ID}", ID, "youtube.com")
    assert address.url == f"https://www.youtube.com/watch?v={ID}"


@pytest.mark.parametrize(
    ("remote", "is_file"),
    [
        ("https://example.org/a/b.mp4", True),
        ("https://example.org:8443/B.WEBM?token=1", True),
        ("https://example.org/watch?f=a.mp4", False),
        ("https://xn--bcher-kva.example/a", False),
        ("http://[2001:db8::1]/a.mp4", True),
    ],
)
def test_other_addresses_stay_as_they_are(remote: str, is_file: bool):
    address = parse_address(remote + "#fragment")
    assert (address.url, address.name, address.is_file, address.youtube_id) == (remote, remote, is_file, "")


@pytest.mark.parametrize(
    "remote",
    [
        "",
        "a.mp4",
        "/etc/passwd",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "ftp://example.org/a.mp4",
        "javascript:alert(1)",
        "ytsearch:cats",
        "-o /tmp/x",
        "--exec=reboot",
        "youtube:",
        "youtube:--exec=rm",
        "youtube:aaaaaaaaaa\u00e9",
        "youtube:aaaaaaaaaaa\n",
        "youtube:aaaaaaaaaaaa",
        "https://www.youtube.com/watch?v=--exec",
        "https://user:pw@example.org/a.mp4",
        "https://user@example.org/a.mp4",
        "https:///a.mp4",
        "https://example.org:0/a.mp4",
        "https://example.org:99999/a.mp4",
        "https://exa mple.org/a.mp4",
        "https://example.org/a b.mp4",
        "https://example.org/a\r\nHost: x",
        "https://example.org\\@evil.example/a.mp4",
        "https://-example.org/a.mp4",
        "https://[::1/a.mp4",
        "https://example..org/a.mp4",
        "https://example.org/" + "a" * 2100,
    ],
)
def test_what_is_no_address_is_refused(remote: str):
    with pytest.raises(AcquireError) as caught:
        parse_address(remote)
    assert (caught.value.reason, caught.value.final) == ("bad_address", True)
    assert "pw" not in caught.value.detail
    assert caught.value.detail.isprintable()


def test_action100m_s_videos_can_be_asked_for(shared_data: Path):
    videos = list(open_source(shared_data / "action100m" / "examples.parquet", "action100m").videos())
    assert videos
    assert all(parse_address(video.remote).youtube_id == video.uid for video in videos)


@given(st.text(max_size=60))
def test_whatever_is_said_an_address_is_http_or_refused(text: str):
    for remote in (text, f"https://{text}", f"youtube:{text}", f"https://www.youtube.com/watch?v={text}"):
        with contextlib.suppress(AcquireError):
            address = parse_address(remote)
            assert address.url.startswith(("http://", "https://"))
            assert address.url.isascii()
            assert address.url.isprintable()
            assert "@" not in address.url.split("/")[2]

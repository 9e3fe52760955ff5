from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hoiset.builder.acquire import Acquirer
from hoiset.builder.records import SourceVideo
from hoiset.errors import AcquireError, DatasetError
from tests.builder.acquire.conftest import make_clip
from tests.builder.acquire.server import (
    Web,
    body,
    cut_off,
    hang_up,
    ranged,
    redirect,
    stall,
    status,
    too_short,
    trickle,
    unmeasured,
)

Make = Callable[..., Acquirer]


def remote(url: str) -> SourceVideo:
    return SourceVideo("clip", Path(), remote=url)


def fetched(acquirer: Acquirer, url: str) -> bytes:
    with acquirer.fetch(remote(url), "screen") as video:
        data = video.path.read_bytes()
        assert video.sha256 == hashlib.sha256(data).hexdigest()
        assert (video.uid, video.remote) == ("clip", url)
    return data


def fails(acquirer: Acquirer, url: str) -> AcquireError:
    with pytest.raises(AcquireError) as caught:
        fetched(acquirer, url)
    return caught.value


def test_what_is_here_needs_no_fetching(acquirer: Make, tmp_path: Path):
    for video in (SourceVideo("a", tmp_path), SourceVideo("b", Path(), remote="x", problem="row 3 is wrong")):
        with acquirer().fetch(video, "full") as same:
            assert same is video
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_fetched_once_for_both_passes(web: Web, clip: bytes, acquirer: Make):
    url = web.on("/a.mp4", ranged(clip))
    one = acquirer()
    assert fetched(one, url) == clip
    with one.fetch(remote(url), "full") as video:
        assert video.path.read_bytes() == clip
    assert fetched(acquirer(), url) == clip
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    ("code", "reason", "final"),
    [
        (401, "private", True),
        (402, "members", True),
        (403, "forbidden", True),
        (404, "removed", True),
        (410, "removed", True),
        (418, "bad_address", True),
        (451, "geo", True),
        (500, "network", False),
        (503, "network", False),
    ],
)
def test_a_status_has_its_class(web: Web, acquirer: Make, waits: list[float], code: int, reason: str, final: bool):
    url = web.on("/a.mp4", status(code))
    error = fails(acquirer(retries=2), url)
    assert (error.reason, error.final) == (reason, final)
    assert str(code) in error.detail
    assert len(web.requests) == (1 if final else 3)
    assert len(waits) == (0 if final else 2)


def test_a_failure_is_remembered_for_the_other_spans_of_the_video(web: Web, acquirer: Make):
    url = web.on("/a.mp4", status(404))
    first, second = fails(acquirer(), url), fails(acquirer(), url)
    assert (second.reason, second.detail, second.final) == (first.reason, first.detail, first.final)
    assert len(web.requests) == 1


def test_other_cookies_may_open_what_was_closed(web: Web, clip: bytes, acquirer: Make, tmp_path: Path):
    url = web.on("/a.mp4", status(401), body(clip))
    assert fails(acquirer(), url).reason == "private"
    cookies = tmp_path / "cookies.txt"
    text = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tpass\tsesame\n"
    cookies.write_text(text)
    assert fetched(acquirer(cookies=cookies), url) == clip
    assert web.requests[1][1]["Cookie"] == "pass=sesame"
    assert cookies.read_text() == text


def test_a_host_that_asks_for_it_is_left_alone_for_that_long(web: Web, clip: bytes, acquirer: Make, waits: list[float]):
    url = web.on("/a.mp4", status(429, Retry_After="7"), status(503, Retry_After="9"), body(clip))
    assert fetched(acquirer(), url) == clip
    assert 7.0 in waits
    assert 9.0 in waits


def test_a_host_that_asks_for_more_than_we_wait_is_not_asked_again(web: Web, acquirer: Make, waits: list[float]):
    url = web.on("/a.mp4", status(429, Retry_After="3600"))
    error = fails(acquirer(max_wait_s=60), url)
    assert (error.reason, error.final, error.retry_after_s) == ("rate_limited", False, 3600.0)
    other = fails(acquirer(max_wait_s=60), web.on("/b.mp4", status(200)))
    assert other.reason == "rate_limited"
    assert "asked to be left alone" in other.detail
    assert (len(web.requests), waits) == (1, [])


def test_a_server_that_recovers_is_asked_again_after_a_growing_wait(
    web: Web, clip: bytes, acquirer: Make, waits: list[float]
):
    url = web.on("/a.mp4", status(500), status(500), status(502), body(clip))
    assert fetched(acquirer(), url) == clip
    assert [low <= wait <= low + 1 for low, wait in zip((1, 2, 4), waits, strict=True)] == [True] * 3


def test_redirects_are_followed_and_their_circles_are_not(web: Web, clip: bytes, acquirer: Make):
    web.on("/b.mp4", body(clip))
    assert fetched(acquirer(), web.on("/a.mp4", redirect("/b.mp4"))) == clip
    error = fails(acquirer(), web.on("/circle.mp4", redirect("/circle.mp4")))
    assert (error.reason, error.final) == ("bad_address", True)
    assert len(web.asked("/circle.mp4")) <= 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a.mp4", "data:video/mp4,x", "http://[x/"])
def test_a_redirect_to_another_scheme_is_refused(web: Web, acquirer: Make, target: str):
    error = fails(acquirer(), web.on("/a.mp4", redirect(target)))
    assert (error.reason, error.final) == ("bad_address", True)


def test_a_redirect_to_a_host_that_is_not_public_is_refused(web: Web, clip: bytes, acquirer: Make):
    web.on("/b.mp4", body(clip))
    error = fails(acquirer(), web.on("/a.mp4", redirect(f"http://localhost:{web.port}/b.mp4")))
    assert error.reason == "bad_address"
    assert "localhost is " in error.detail
    assert web.asked("/b.mp4") == []


def test_what_was_cut_off_is_gone_on_with(web: Web, clip: bytes, acquirer: Make):
    url = web.on("/a.mp4", cut_off(clip, 5000), ranged(clip))
    assert fetched(acquirer(), url) == clip
    rest = web.requests[1][1]
    assert (rest["Range"], rest["If-Range"]) == ("bytes=5000-", '"v1"')


def test_the_next_run_goes_on_where_this_one_was_cut_off(
    web: Web, clip: bytes, acquirer: Make, monkeypatch: pytest.MonkeyPatch
):
    url = web.on("/a.mp4", cut_off(clip, 5000))
    assert fails(acquirer(retries=0), url).reason == "network"
    monkeypatch.setattr("hoiset.builder.acquire.acquirer._REMEMBERED_S", {True: 0.0, False: 0.0})
    web.on("/a.mp4", ranged(clip))
    assert fetched(acquirer(), url) == clip
    assert web.requests[-1][1]["Range"] == "bytes=5000-"


def test_another_version_of_the_file_is_not_mixed_with_the_part_of_the_first(web: Web, clip: bytes, acquirer: Make):
    other = make_clip(seed=1)
    url = web.on("/a.mp4", cut_off(clip, 5000, '"v1"'), ranged(other, '"v2"'))
    assert fetched(acquirer(), url) == other


def test_a_part_that_no_server_vouches_for_is_not_gone_on_with(web: Web, clip: bytes, acquirer: Make):
    url = web.on("/a.mp4", cut_off(clip, 5000, "W/weak"), ranged(clip))
    assert fetched(acquirer(), url) == clip
    assert "Range" not in web.requests[1][1]


def test_a_range_that_was_not_asked_for_is_not_taken(web: Web, clip: bytes, acquirer: Make):
    wrong = status(206, Content_Range=f"bytes 0-9/{len(clip)}")
    assert fetched(acquirer(), web.on("/a.mp4", cut_off(clip, 5000), wrong, ranged(clip))) == clip


def test_a_server_that_stalls_is_given_up(web: Web, clip: bytes, acquirer: Make):
    error = fails(acquirer(retries=0, timeout_s=0.2), web.on("/a.mp4", stall(web, clip, 5000)))
    assert (error.reason, error.final) == ("network", False)


def test_a_server_that_trickles_is_given_up(web: Web, clip: bytes, acquirer: Make):
    error = fails(acquirer(retries=0, timeout_s=0.3, min_rate_bytes_s=1000), web.on("/a.mp4", trickle(web, clip)))
    assert (error.reason, error.final) == ("network", False)
    assert "bytes in" in error.detail


def test_a_cache_that_cannot_be_written_to_stops_the_build(web: Web, clip: bytes, acquirer: Make, tmp_path: Path):
    (tmp_path / "cache").write_text("a file, where a folder should be")
    with pytest.raises(DatasetError, match="cannot write"):
        fetched(acquirer(), web.on("/a.mp4", body(clip)))


def test_a_host_that_refuses_us_all_is_left_in_peace(web: Web, acquirer: Make):
    urls = [web.on(f"/{i}.mp4", status(429)) for i in range(20)]
    assert {fails(acquirer(max_wait_s=10), url).reason for url in urls} == {"rate_limited"}
    assert len(web.requests) < 5


def test_a_server_that_hangs_up_is_a_failure_of_the_network(web: Web, acquirer: Make):
    url = web.on("/a.mp4", hang_up)
    assert fails(acquirer(retries=0), url).reason == "network"
    assert fails(acquirer(retries=0), "http://127.0.0.1:9/a.mp4").reason == "network"


def test_a_length_that_is_a_lie_costs_a_second_attempt_and_no_more(web: Web, clip: bytes, acquirer: Make):
    half = too_short(clip, len(clip) // 2)
    assert fetched(acquirer(), web.on("/a.mp4", half, body(clip))) == clip
    error = fails(acquirer(), web.on("/b.mp4", half))
    assert (error.reason, error.final) == ("corrupt", True)
    assert "states 2.0 s and ends after" in error.detail
    assert len(web.asked("/b.mp4")) == 2


def test_a_file_without_a_length_is_taken_when_it_is_whole(web: Web, clip: bytes, acquirer: Make):
    assert fetched(acquirer(), web.on("/a.mp4", unmeasured(clip))) == clip
    assert fails(acquirer(), web.on("/b.mp4", unmeasured(clip[: len(clip) // 2]))).reason == "corrupt"


def test_what_is_no_video_is_not_kept(web: Web, acquirer: Make, tmp_path: Path):
    assert fails(acquirer(), web.on("/a.mp4", body(b"<html>log in", "text/html; x"))).reason == "no_format"
    assert fails(acquirer(), web.on("/b.mp4", body(b"#EXTM3U\nfile:///etc/passwd\n"))).reason == "corrupt"
    assert fails(acquirer(), web.on("/c.mp4", body(b""))).reason == "corrupt"
    assert [p for folder in ("videos", "parts", "locks") for p in (tmp_path / "cache" / folder).rglob("*")] == []


def test_a_file_that_is_too_large_is_not_fetched(web: Web, clip: bytes, acquirer: Make):
    for path, reply in (("/a.mp4", body(clip)), ("/b.mp4", unmeasured(clip))):
        error = fails(acquirer(max_file_bytes=len(clip) - 1), web.on(path, reply))
        assert (error.reason, error.final) == ("too_large", True)


def test_the_rate_limit_is_kept(web: Web, clip: bytes, acquirer: Make, waits: list[float]):
    fetched(acquirer(rate_limit_bytes_s=len(clip)), web.on("/a.mp4", body(clip)))
    assert 0.5 < max(waits) <= 1.0


def test_what_a_server_sets_is_forgotten(web: Web, clip: bytes, acquirer: Make):
    one = acquirer()
    for path in ("/a.mp4", "/b.mp4"):
        fetched(one, web.on(path, body(clip, Set_Cookie="seen=yes; Path=/")))
    assert ["Cookie" in headers for _, headers in web.requests] == [False, False]


def test_a_user_s_passwords_are_not_offered(
    web: Web, clip: bytes, acquirer: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    web.on("/b.mp4", body(clip))
    fetched(acquirer(), web.on("/a.mp4", redirect("/b.mp4")))
    assert ["Authorization" in headers for _, headers in web.requests] == [False, False]

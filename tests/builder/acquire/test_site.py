from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.networking.exceptions import IncompleteRead
from yt_dlp.utils import ExtractorError, GeoRestrictedError, UserNotLive

from hoiset.builder.acquire import Acquirer
from hoiset.builder.records import SourceVideo
from hoiset.errors import AcquireError
from tests.builder.acquire.conftest import make_clip
from tests.builder.acquire.server import Web, body, cut_off, ranged, redirect, stall, status, trickle, unmeasured
from tests.builder.acquire.youtube import VIDEO_ID, offered, playable, unplayable

Make = Callable[..., Acquirer]
VIDEO = SourceVideo(VIDEO_ID, Path(), remote=f"youtube:{VIDEO_ID}")


def fetched(acquirer: Acquirer, quality: str = "screen", video: SourceVideo = VIDEO) -> bytes:
    with acquirer.fetch(video, quality) as local:  # type: ignore[arg-type]
        return local.path.read_bytes()


def fails(acquirer: Acquirer, quality: str = "screen", video: SourceVideo = VIDEO) -> AcquireError:
    with pytest.raises(AcquireError) as caught:
        fetched(acquirer, quality, video)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "reason", "final"),
    [
        (("LOGIN_REQUIRED", "Private video", "Sign in if you've been granted access to this video"), "private", True),
        (("LOGIN_REQUIRED", "This video is private"), "private", True),
        (("LOGIN_REQUIRED", "Please sign in"), "private", True),
        (("LOGIN_REQUIRED", "Sign in to confirm you\u2019re not a bot"), "rate_limited", False),
        (("UNPLAYABLE", "This content isn't available, try again later."), "rate_limited", False),
        (
            ("LOGIN_REQUIRED", "Sign in to confirm your age", "This video may be inappropriate for some users."),
            "age",
            True,
        ),
        (
            ("UNPLAYABLE", "Join this channel to get access to members-only content like this video, and other perks."),
            "members",
            True,
        ),
        (("UNPLAYABLE", "This video requires payment to watch."), "members", True),
        (("ERROR", "Video unavailable"), "removed", True),
        (("ERROR", "Video unavailable", "This video has been removed by the uploader"), "removed", True),
        (("ERROR", "This video has been removed for violating YouTube's Terms of Service"), "removed", True),
        (
            (
                "ERROR",
                "Video unavailable",
                "This video is no longer available because the YouTube account associated with this video has been "
                "terminated.",
            ),
            "removed",
            True,
        ),
        (("ERROR", "This video does not exist."), "removed", True),
        (
            ("UNPLAYABLE", "Video unavailable", "The uploader has not made this video available in your country"),
            "geo",
            True,
        ),
        (
            (
                "UNPLAYABLE",
                "Video unavailable",
                "This video contains content from X, who has blocked it in your country on copyright grounds",
            ),
            "geo",
            True,
        ),
        (
            ("UNPLAYABLE", "Video unavailable", "This video contains content from X, who has blocked it on copyright"),
            "removed",
            True,
        ),
        (("LIVE_STREAM_OFFLINE", "This live event will begin in 3 hours."), "live", False),
        (("LIVE_STREAM_OFFLINE", "Premieres in 2 hours"), "live", False),
        (("UNPLAYABLE", "Something that nobody has heard before"), "unknown", False),
    ],
)
def test_what_youtube_says_has_its_class(acquirer: Make, answer: tuple[str, ...], reason: str, final: bool):
    error = fails(acquirer((unplayable(*answer),), retries=0))
    assert (error.reason, error.final) == (reason, final), error.detail
    assert answer[-1].rstrip(".")[:20] in error.detail
    assert "\n" not in error.detail
    assert "ERROR" not in error.detail


def raising(error: BaseException) -> type[InfoExtractor]:
    class YoutubeIE(InfoExtractor):
        _VALID_URL = r"https://www\.youtube\.com/watch\?v=(?P<id>.{11})"

        def _real_extract(self, url: str) -> dict[str, Any]:
            raise error

    return YoutubeIE


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (GeoRestrictedError("not here", countries=["DE"]), "geo"),
        (UserNotLive(), "live"),
        (ExtractorError("This video is DRM protected", expected=True), "no_format"),
        (
            ExtractorError("All player responses are invalid. Your IP is likely being blocked", expected=True),
            "rate_limited",
        ),
        (ExtractorError("Unable to extract the player"), "site_changed"),
        (KeyError("streamingData"), "site_changed"),
        (AttributeError("'NoneType' object has no attribute 'get'"), "site_changed"),
        (TimeoutError("timed out"), "network"),
        (IncompleteRead(partial=0), "network"),
    ],
)
def test_yt_dlp_s_own_errors_have_their_class(acquirer: Make, error: Exception, reason: str):
    assert fails(acquirer((raising(error),), retries=0)).reason == reason


def test_pass_1_gets_the_smallest_format_that_will_do_and_pass_2_the_largest(web: Web, acquirer: Make):
    heights = (144, 360, 720, 2160)
    clips = {height: make_clip(side=48 + 16 * i) for i, height in enumerate(heights)}
    formats = [offered(130 + i, web.on(f"/{h}.mp4", ranged(clips[h])), h) for i, h in enumerate(heights)]
    one = acquirer((playable(formats),))
    assert fetched(one, "screen") == clips[360]
    assert fetched(one, "full") == clips[720]
    assert [path for path, _ in web.requests] == ["/360.mp4", "/720.mp4"]
    assert fetched(one, "full") == clips[720]
    assert len(web.requests) == 2


def test_times_of_pass_1_that_do_not_hold_in_pass_2_are_an_error(web: Web, acquirer: Make):
    short, long = make_clip(30), make_clip(45, side=96)
    formats = [
        offered(134, web.on("/screen.mp4", body(short)), 360),
        offered(136, web.on("/full.mp4", body(long)), 720),
    ]
    one = acquirer((playable(formats),))
    error = fails(one, "full")
    assert (error.reason, error.final) == ("times_differ", True)
    assert "3.00 s at 96x96, 2.00 s at 64x64" in error.detail
    assert fetched(one, "screen") == short


def test_a_site_s_file_is_gone_on_with_and_a_refused_one_asked_for_anew(web: Web, clip: bytes, acquirer: Make):
    url = web.on("/v.mp4", cut_off(clip, 5000), status(403), status(500), ranged(clip))
    assert fetched(acquirer((playable([offered(134, url, 360)]),))) == clip
    first, *rest = [int(headers["Range"][6:].partition("-")[0]) for headers in web.asked("/v.mp4")]
    assert first == 0
    assert len(rest) == 3
    assert all(0 < begin <= 5000 for begin in rest)


@pytest.mark.parametrize(
    ("code", "reason", "final"), [(403, "rate_limited", False), (429, "rate_limited", False), (404, "removed", True)]
)
def test_a_status_of_a_site_s_file_has_its_class(web: Web, acquirer: Make, code: int, reason: str, final: bool):
    url = web.on("/v.mp4", status(code, Retry_After="5"))
    error = fails(acquirer((playable([offered(134, url, 360)]),), retries=0))
    assert (error.reason, error.final) == (reason, final)


def test_a_site_s_file_that_stalls_lies_or_grows_is_stopped(web: Web, clip: bytes, acquirer: Make):
    stalled = offered(134, web.on("/stall.mp4", stall(web, clip, 5000)), 360)
    assert fails(acquirer((playable([stalled]),), retries=0, timeout_s=0.2)).reason == "network"
    other = SourceVideo("b", Path(), remote="youtube:bbbbbbbbbbb")
    broken = offered(134, web.on("/broken.mp4", body(clip[: len(clip) // 2])), 360)
    assert fails(acquirer((playable([broken]),)), video=other).reason == "corrupt"
    third = SourceVideo("c", Path(), remote="youtube:ccccccccccc")
    large = offered(134, web.on("/large.mp4", unmeasured(clip)), 360)
    assert fails(acquirer((playable([large]),), max_file_bytes=len(clip) // 2), video=third).reason == "too_large"
    stated = offered(134, web.on("/stated.mp4", body(clip)), 360, size=len(clip))
    fourth = SourceVideo("d", Path(), remote="youtube:ddddddddddd")
    assert fails(acquirer((playable([stated]),), max_file_bytes=len(clip) - 1), video=fourth).reason == "too_large"
    assert web.asked("/stated.mp4") == []


def test_a_site_s_file_that_trickles_is_given_up(web: Web, clip: bytes, acquirer: Make):
    formats = [offered(134, web.on("/v.mp4", trickle(web, clip)), 360)]
    error = fails(acquirer((playable(formats),), retries=0, timeout_s=0.3, min_rate_bytes_s=1000))
    assert (error.reason, error.final) == ("network", False)


def test_a_site_cannot_lead_to_a_host_that_is_not_public(web: Web, clip: bytes, acquirer: Make):
    web.on("/secret.mp4", body(clip))
    inside = f"http://localhost:{web.port}/secret.mp4"
    formats = [offered(134, web.on("/v.mp4", redirect(inside)), 360)]
    assert fails(acquirer((playable(formats),)), video=VIDEO).reason == "bad_address"
    other = SourceVideo("b", Path(), remote="youtube:bbbbbbbbbbb")
    assert fails(acquirer((playable([offered(134, inside, 360)]),)), video=other).reason == "bad_address"
    third = SourceVideo("c", Path(), remote="youtube:ccccccccccc")
    assert fails(acquirer((playable([offered(134, "file:///etc/passwd", 360)]),)), video=third).reason != "unknown"
    assert web.asked("/secret.mp4") == []


def test_formats_that_are_kept_back_for_now_are_not_the_end(acquirer: Make):
    formats = [offered(134, "http://127.0.0.1:9/v.mp4", 360)]
    error = fails(acquirer((playable(formats, "android_vr"),)))
    assert (error.reason, error.final) == ("no_format", False)
    assert "PO Token" in error.detail


def test_a_video_without_a_format_that_we_read_is_final(acquirer: Make):
    sound = offered(140, "http://127.0.0.1:9/v.m4a", 0) | {"mimeType": 'audio/mp4; codecs="mp4a.40.2"'}
    error = fails(acquirer((playable([sound]),)))
    assert (error.reason, error.final) == ("no_format", True)


def test_a_live_video_is_left_for_later(web: Web, clip: bytes, acquirer: Make):
    formats = [offered(134, web.on("/v.mp4", body(clip)), 360)]
    error = fails(acquirer((playable(formats, isLive=True, isLiveContent=True),)))
    assert (error.reason, error.final) == ("live", False)
    assert web.requests == []


def test_a_list_of_videos_is_no_video(acquirer: Make):
    class ListIE(InfoExtractor):
        _VALID_URL = r"http://127\.0\.0\.1/list/(?P<id>\d+)"

        def _real_extract(self, url: str) -> dict[str, Any]:
            return self.playlist_result([self.url_result("http://127.0.0.1/list/2")] * 2, "1", "two")

    video = SourceVideo("list", Path(), remote="http://127.0.0.1/list/1")
    assert fails(acquirer((ListIE,)), video=video).reason == "bad_address"


def test_nothing_is_printed_and_no_plug_in_is_loaded(
    acquirer: Make, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plugin = tmp_path / "yt_dlp_plugins" / "extractor" / "evil.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("raise SystemExit('a plug-in was loaded')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("yt_dlp.globals.all_plugins_loaded.value", False)
    assert fails(acquirer((unplayable("ERROR", "Video unavailable"),))).reason == "removed"
    assert capfd.readouterr() == ("", "")

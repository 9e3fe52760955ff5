"""YouTube without its servers: the real extractor, given what the player would have answered."""

from __future__ import annotations

from typing import Any

from yt_dlp.extractor.youtube import YoutubeIE as RealYoutubeIE
from yt_dlp.extractor.youtube import _video

VIDEO_ID = "-wtIMTCHWuI"


def answering(player: dict[str, Any]) -> type[RealYoutubeIE]:
    """An extractor whose player answers so; all the rest of it is yt-dlp's own."""

    class YoutubeIE(RealYoutubeIE):
        def _initial_extract(self, *_: object) -> tuple[Any, ...]:
            return None, self._get_default_ytcfg(), {}, False, [player], None

    return YoutubeIE


def unplayable(status: str, reason: str, subreason: str = "", **more: Any) -> type[RealYoutubeIE]:
    """A player that refuses, in the words of the site."""
    renderer: dict[str, Any] = {"reason": {"simpleText": reason}}
    if subreason:
        renderer["subreason"] = {"simpleText": subreason}
    screen = {"playerErrorMessageRenderer": renderer}
    details = {"videoDetails": {"videoId": VIDEO_ID, "title": "t", **more}}
    return answering({"playabilityStatus": {"status": status, "reason": reason, "errorScreen": screen}, **details})


def playable(formats: list[dict[str, Any]], client: str = "visionos", **details: Any) -> type[RealYoutubeIE]:
    """A player that offers formats, as the site describes them."""
    return answering(
        {
            "playabilityStatus": {"status": "OK"},
            "videoDetails": {"videoId": VIDEO_ID, "title": "t", "lengthSeconds": "2", **details},
            "streamingData": {"adaptiveFormats": formats, **_of_the_client(client)},
        }
    )


def _of_the_client(name: str) -> dict[str, Any]:
    """What yt-dlp itself adds to an answer: which client asked, and that there was no token to be had."""
    return {
        _video.STREAMING_DATA_CLIENT_NAME: name,
        _video.STREAMING_DATA_FETCH_GVS_PO_TOKEN: lambda **_: None,
        _video.STREAMING_DATA_FETCH_SUBS_PO_TOKEN: lambda **_: None,
        _video.STREAMING_DATA_INNERTUBE_CONTEXT: {"client": {"clientName": name.upper()}},
        _video.STREAMING_DATA_PLAYER_TOKEN_PROVIDED: False,
        _video.STREAMING_DATA_IS_PREMIUM_SUBSCRIBER: False,
        _video.STREAMING_DATA_AVAILABLE_AT_TIMESTAMP: 0,
    }


def offered(itag: int, url: str, height: int, codec: str = "avc1.4d401e", size: int = 0) -> dict[str, Any]:
    """One format without sound."""
    entry: dict[str, Any] = {
        "itag": itag,
        "url": url,
        "mimeType": f'video/mp4; codecs="{codec}"',
        "bitrate": height * 1000,
        "width": height * 16 // 9,
        "height": height,
        "fps": 15,
        "qualityLabel": f"{height}p",
        "approxDurationMs": "2000",
    }
    return entry | ({"contentLength": str(size)} if size else {})

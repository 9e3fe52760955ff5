"""Which of a site's formats is fetched: no sound, no larger than needed, in a container that we read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hoiset.builder.acquire.params import AcquireParams

Quality = Literal["screen", "full"]
"""For pass 1 the smallest that will do, for pass 2 the best within bounds."""

_PROTOCOLS = {"http", "https", "http_dash_segments"}
_CONTAINERS = {"mp4", "webm", "mkv", "mov", "m4v", "avi"}
_CODECS = ("avc1", "h264", "vp9", "vp09", "hev1", "hvc1", "av01")


def choose_format(
    formats: Sequence[Mapping[str, Any]], quality: Quality, params: AcquireParams
) -> Mapping[str, Any] | None:
    """Choose a format; the same list in any order gives the same one.

    Args:
        formats: As yt-dlp describes them; those without a size rank last.
        quality: For which pass.
        params: Short sides that are wanted, px.

    Returns:
        For ``screen`` the smallest whose short side reaches ``screen_height``, else the largest; for ``full`` the
        largest whose short side is within ``full_height``, else the smallest. Among equals one without sound, in the
        codec that decodes fastest, at the lowest (screen) or highest (full) bit rate. ``None`` where there is none.
    """
    usable = [f for f in formats if _usable(f)]
    if not usable:
        return None
    if quality == "screen":
        enough = [f for f in usable if _short_side(f) >= params.screen_height]
        side = min(map(_short_side, enough)) if enough else max(map(_short_side, usable))
    else:
        within = [f for f in usable if 0 < _short_side(f) <= params.full_height]
        side = max(map(_short_side, within)) if within else min(map(_short_side, usable))
    return min((f for f in usable if _short_side(f) == side), key=lambda f: _rank(f, quality))


def _usable(entry: Mapping[str, Any]) -> bool:
    return (
        entry.get("vcodec") != "none"
        and entry.get("protocol") in _PROTOCOLS
        and entry.get("ext") in _CONTAINERS
        and not entry.get("has_drm")
    )


def _short_side(entry: Mapping[str, Any]) -> int:
    width, height = entry.get("width") or 0, entry.get("height") or 0
    return int(min(width, height) or height or width)


def _rank(entry: Mapping[str, Any], quality: Quality) -> tuple[Any, ...]:
    codec = str(entry.get("vcodec") or "").partition(".")[0]
    rate = float(entry.get("vbr") or entry.get("tbr") or 0.0)
    return (
        entry.get("dynamic_range") not in (None, "SDR"),
        entry.get("acodec") not in (None, "none"),
        _CODECS.index(codec) if codec in _CODECS else len(_CODECS),
        rate if quality == "screen" else -rate,
        str(entry.get("format_id")),
    )

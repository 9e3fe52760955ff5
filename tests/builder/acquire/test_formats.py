from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.acquire import AcquireParams
from hoiset.builder.acquire.formats import choose_format

PARAMS = AcquireParams()


def entry(name: str, height: int | None, **more: Any) -> dict[str, Any]:
    width = height * 16 // 9 if height else None
    base = {"format_id": name, "width": width, "height": height, "vcodec": "avc1.4d", "acodec": "none"}
    return base | {"protocol": "https", "ext": "mp4", "tbr": 500.0} | more


LADDER = [entry(str(h), h) for h in (144, 240, 360, 480, 720, 1080, 2160)]


@pytest.mark.parametrize(("quality", "name"), [("screen", "360"), ("full", "1080")])
def test_the_ladder(quality: Any, name: str):
    assert choose_format(LADDER, quality, PARAMS)["format_id"] == name  # type: ignore[index]


def test_where_nothing_is_in_bounds_the_nearest_is_taken():
    assert choose_format(LADDER[:2], "screen", PARAMS) == LADDER[1]
    assert choose_format(LADDER[-1:], "full", PARAMS) == LADDER[-1]
    assert choose_format([], "screen", PARAMS) is None


def test_a_portrait_is_measured_by_its_width():
    portrait = [entry("small", 640, width=360), entry("tiny", 480, width=270)]
    assert choose_format(portrait, "screen", PARAMS) == portrait[0]


@pytest.mark.parametrize(
    "useless",
    [
        entry("sound", None, vcodec="none"),
        entry("drm", 360, has_drm=True),
        entry("hls", 360, protocol="m3u8_native"),
        entry("flash", 360, ext="flv"),
    ],
)
def test_what_we_cannot_read_is_not_chosen(useless: dict[str, Any]):
    assert choose_format([useless], "screen", PARAMS) is None
    assert choose_format([useless, *LADDER], "screen", PARAMS) == LADDER[2]


def test_among_equals_no_sound_a_fast_codec_and_the_rate_that_suits_the_pass():
    worse = [
        entry("sound", 360, acodec="mp4a", tbr=1),
        entry("av1", 360, vcodec="av01.0", tbr=1),
        entry("hdr", 360, dynamic_range="HDR10", tbr=1),
    ]
    slow, fast = entry("slow", 360, tbr=300), entry("fast", 360, tbr=900)
    assert choose_format([*worse, fast, slow], "screen", PARAMS) == slow
    assert choose_format([*worse, fast, slow], "full", PARAMS) == fast


@given(st.permutations([*LADDER, entry("a", 360), entry("b", 1080, vcodec=None, tbr=None)]))
def test_the_order_of_the_list_does_not_matter(formats: list[dict[str, Any]]):
    assert choose_format(formats, "screen", PARAMS)["format_id"] == "360"  # type: ignore[index]
    assert choose_format(formats, "full", PARAMS)["format_id"] == "1080"  # type: ignore[index]

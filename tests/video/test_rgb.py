"""Colour by planes is colour by pixels: swscale's own rgb24 is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from hoiset.video.decode import to_rgb

EXACT = (
    Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)


def noise(pix_fmt: str, width: int, height: int) -> VideoFrame:
    """A frame of that format in which every plane is noise, beyond the legal range too."""
    frame, rng = VideoFrame(width, height, pix_fmt), np.random.default_rng(0)
    for plane in frame.planes:
        plane.update(rng.integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    return frame


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "gray", "rgb24"])
@pytest.mark.parametrize("size", [(64, 48), (33, 17), (64, 26), (40, 48), (40, 40), (130, 96), (40, 96), (224, 224)])
@pytest.mark.parametrize("stored", [(64, 48), (50, 38)])
def test_exact_colour_is_that_of_pixels(pix_fmt: str, size: tuple[int, int], stored: tuple[int, int]) -> None:
    frame = noise(pix_fmt, *stored)
    shrinks = size[0] < stored[0] or size[1] < stored[1]
    by_pixels = VideoReformatter().reformat(
        frame,
        *size,
        "rgb24",
        src_colorspace=Colorspace.ITU601,
        interpolation=(Interpolation.AREA if shrinks else Interpolation.BICUBIC) | EXACT,
        threads=1,
    )
    found = to_rgb(VideoReformatter(), frame, *size)
    np.testing.assert_array_equal(found, by_pixels.to_ndarray())
    out = np.zeros((size[1], size[0], 3), np.uint8)
    assert to_rgb(VideoReformatter(), frame, *size, out=out) is out
    np.testing.assert_array_equal(out, found)


def test_fast_colour_fills_what_it_is_given() -> None:
    frame, out = noise("yuv420p", 64, 48), np.zeros((48, 64, 3), np.uint8)
    found = to_rgb(VideoReformatter(), frame, 64, 48, exact=False)
    assert to_rgb(VideoReformatter(), frame, 64, 48, exact=False, out=out) is out
    np.testing.assert_array_equal(out, found)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.errors import VideoError
from hoiset.video import encode_mp4
from hoiset.video.container import Orientation, describe, open_video


@given(st.booleans(), st.booleans(), st.booleans())
def test_orientation_moves_every_pixel_once(transpose: bool, flip_x: bool, flip_y: bool) -> None:
    rgb = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    orientation = Orientation(transpose, flip_x, flip_y)
    out = orientation.apply(rgb)
    assert out.flags.c_contiguous
    assert out.shape == ((3, 2, 3) if transpose else (2, 3, 3))
    assert sorted(out.ravel()) == sorted(rgb.ravel())
    if transpose == (flip_x != flip_y):  # a proper rotation, no mirror image
        np.testing.assert_array_equal(out, np.rot90(rgb, -orientation.rotation_deg // 90))


def test_messages_show_no_raw_control_characters() -> None:
    assert describe("a\x1b[31m.mp4") == r"a\x1b[31m.mp4"
    assert describe(b"1234") == "4 bytes of video"


def test_a_stream_that_nobody_knows_is_no_video() -> None:
    mp4 = encode_mp4(np.zeros((4, 48, 64, 3), np.uint8), np.arange(4) / 15)
    with pytest.raises(VideoError, match="expected a video stream"), open_video(mp4.replace(b"minf", b"mjnf")):
        pass

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hoiset.video.container import Orientation, describe


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

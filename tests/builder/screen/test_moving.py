import numpy as np
import pytest

from hoiset.builder.screen.moving import VIEW_PX, Square, moving_square


def frames(centres: list[tuple[int, int]], side: int = 40) -> list[np.ndarray]:
    """A bright square at some places of a dim wall of 640x360 px."""
    wall = np.random.default_rng(0).integers(60, 66, (360, 640, 3)).astype(np.uint8)
    out = []
    for x, y in centres:
        image = wall.copy()
        image[max(y - side // 2, 0) : y + side // 2, max(x - side // 2, 0) : x + side // 2] = 200
        out.append(image)
    return out


def test_the_square_holds_what_moves_and_little_else() -> None:
    square = moving_square(frames([(480, 200), (500, 200), (520, 200)]), 1)
    assert square is not None
    assert (square.corner < (480, 180)).all()
    assert (square.corner + square.side > (520, 220)).all()
    assert square.side == 0.4 * 360


@pytest.mark.parametrize("at", [0, 2])
def test_the_first_and_the_last_frame_have_one_neighbour(at: int) -> None:
    assert moving_square(frames([(480, 200), (500, 200), (520, 200)]), at) is not None


def test_where_nothing_moves_there_is_no_square() -> None:
    assert moving_square(frames([(500, 200)] * 3), 1) is None
    assert moving_square(frames([(500, 200), (502, 200)], side=8), 0) is None


def test_what_moves_everywhere_is_seen_whole() -> None:
    square = moving_square(frames([(40, 40), (320, 180), (600, 320)]), 1)
    assert square is not None
    assert 560 < square.side <= 640


def test_pixels_of_the_view_are_those_of_the_picture() -> None:
    image = np.zeros((360, 640, 3), np.uint8)
    image[120, 333] = 255
    square = Square(np.array([300.0, 90.0]), 80.0)
    shown = square.view(image)
    assert shown.shape == (VIEW_PX, VIEW_PX, 3)
    y, x = np.argwhere(shown[..., 0] > 200).mean(0)
    np.testing.assert_allclose(square.to_picture(np.array([x, y])), (333, 120), atol=0.5)


def test_a_view_beyond_the_border_is_black_there() -> None:
    shown = Square(np.array([-100.0, -100.0]), 200.0).view(np.full((360, 640, 3), 90, np.uint8))
    assert shown[0, 0].max() == 0
    assert shown[-1, -1].min() == 90

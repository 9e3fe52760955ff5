import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hoiset.builder.studio.moving_camera import CameraPath, homography, moved, shake, slow_pan, widened, zoom
from hoiset.builder.studio.stage import Stage, build_stage
from hoiset.geometry import project
from tests.builder.studio.conftest import SMALL

TIME = np.arange(45) / 15.0


@pytest.fixture(scope="module")
def stage() -> Stage:
    return build_stage(SMALL, np.random.default_rng(3))


def test_the_homography_maps_what_the_moving_camera_sees_to_the_still_picture(stage: Stage) -> None:
    path = CameraPath(np.array([[0.02, -0.05, 0.01]]), np.array([1.3]))
    points = np.random.default_rng(0).uniform([-0.2, -0.2, 0.5], [0.2, 0.2, 3.0], (40, 3))
    K = stage.K.copy()
    K[[0, 1], [0, 1]] *= 1.3
    seen = project(K, points @ Rotation.from_rotvec(path.turn_rad[0]).as_matrix())
    mapped = np.concatenate([seen, np.ones((40, 1))], -1) @ homography(stage, path, 0).T
    assert np.allclose(mapped[:, :2] / mapped[:, 2:], project(widened(stage).K, points), atol=1e-6)


def test_a_camera_that_does_not_move_sees_the_middle_of_the_wide_picture(stage: Stage) -> None:
    wide = widened(stage)
    picture = np.random.default_rng(0).random((wide.height, wide.width, 3)).astype(np.float32)
    still = CameraPath(np.zeros((1, 3)), np.ones(1))
    right, down = (wide.width - stage.width) // 2, (wide.height - stage.height) // 2
    crop = picture[down : down + stage.height, right : right + stage.width]
    assert np.abs(moved(stage, still, 0, picture) - crop).max() < 1e-3


@pytest.mark.parametrize("make", [slow_pan, shake, zoom])
@pytest.mark.parametrize("seed", range(6))
def test_cameras_move_enough_to_be_seen_and_stay_in_the_wide_picture(make, seed: int, stage: Stage) -> None:
    path = make(stage, TIME, np.random.default_rng(seed))
    wide = widened(stage)
    corners = np.array([[x, y, 1.0] for x in (0, stage.width - 1) for y in (0, stage.height - 1)])
    where = np.stack([corners @ homography(stage, path, k).T for k in range(len(TIME))])
    where = where[..., :2] / where[..., 2:]
    assert (where >= -0.5).all()
    assert (where <= np.array([wide.width, wide.height]) - 0.5).all()
    travel = np.ptp(where, axis=0).max()
    assert travel > 0.03 * min(stage.width, stage.height)

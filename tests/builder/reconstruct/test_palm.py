import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hoiset.builder.reconstruct.lifting import link_lengths
from hoiset.builder.reconstruct.palm import PALM, PalmParams, palm_shape, turn_palms
from hoiset.builder.studio.skeleton import adult_skeleton
from hoiset.geometry import angle_between, wrist_frame

LENGTHS = link_lengths(0.187)
PARAMS = PalmParams()


def hand(left: bool) -> np.ndarray:
    """Rest joints with the very palm of the lengths, wrist frame."""
    joints = adult_skeleton().joints * ((-1.0, 1.0, 1.0) if left else (1.0, 1.0, 1.0))
    palm = palm_shape(LENGTHS, left=left)
    for finger, knuckle in enumerate(PALM[1:], start=1):
        chain = slice(1 + 4 * finger, 5 + 4 * finger)
        joints[chain] += palm[finger] - joints[knuckle]
    return joints


def posed(R: np.ndarray, left: bool, at: tuple[float, float, float] = (0.05, 0.02, 0.6)) -> np.ndarray:
    return hand(left) @ np.swapaxes(R, -1, -2) + np.array(at)


def rays_of(joints: np.ndarray) -> np.ndarray:
    return joints[..., :2] / joints[..., 2:]


def error_deg(joints: np.ndarray, true: np.ndarray, left: bool) -> np.ndarray:
    a, b = (wrist_frame(x, left=left)[..., :3, :3] for x in (joints, true))
    return np.degrees(angle_between(a, b))


def reaching_away(n: int, tilt_deg: float) -> np.ndarray:
    """The back of the hand seen from above, fingers away from the camera by a tilt; (n, 3, 3)."""
    facing = Rotation.from_euler("x", 180, degrees=True)  # fingers up in the image, back of the hand to the camera
    turns = Rotation.from_euler("z", np.linspace(-20, 20, n)[:, None], degrees=True)
    return (turns * Rotation.from_euler("x", -tilt_deg, degrees=True) * facing).as_matrix()


@pytest.mark.parametrize("left", [False, True])
def test_the_palm_has_the_given_lengths(left: bool) -> None:
    palm = dict(zip(PALM, palm_shape(LENGTHS, left=left), strict=True))
    wrist_to_knuckles = [np.linalg.norm(palm[k] - palm[0]) for k in PALM[1:]]
    np.testing.assert_allclose(wrist_to_knuckles, LENGTHS[[4, 8, 12, 16]], rtol=0.02)
    assert palm[9][0] == pytest.approx(0.0, abs=1e-3)
    assert (palm[5][0] > 0) != left


@pytest.mark.parametrize("left", [False, True])
def test_a_flattened_hand_is_turned_as_the_image_has_it(left: bool) -> None:
    true = posed(reaching_away(12, 50.0), left)
    flat = posed(reaching_away(12, 10.0), left)
    rng = np.random.default_rng(0)
    size = np.ptp(rays_of(true), axis=1).max(-1)[:, None, None]
    rays = rays_of(true) + 0.01 * size * rng.standard_normal((12, 21, 2))
    assert error_deg(flat, true, left).min() > 35
    turned = turn_palms(rays, flat, LENGTHS, np.arange(12) / 15, PARAMS, left=left)
    assert np.median(error_deg(turned, true, left)) < 10
    fingers = error_deg(turned, true, left)
    assert fingers.max() < 20


def test_a_right_detector_is_left_alone() -> None:
    true = posed(reaching_away(12, 20.0), False)
    turned = turn_palms(rays_of(true), true, LENGTHS, np.arange(12) / 15, PARAMS, left=False)
    np.testing.assert_allclose(turned, true - true[:, :1], atol=2e-3)


def test_of_both_tilts_that_fit_the_detector_chooses() -> None:
    """Far away there is no perspective: only the detector knows which way the hand is tilted."""
    for tilt in (35.0, -35.0):
        true = posed(reaching_away(6, tilt), False, (0.0, 0.0, 8.0))
        told = posed(reaching_away(6, 0.6 * tilt), False, (0.0, 0.0, 8.0))
        turned = turn_palms(rays_of(true), told, LENGTHS, np.arange(6) / 15, PARAMS, left=False)
        assert error_deg(turned, true, False).max() < 16


def test_a_single_frame_that_is_told_wrongly_follows_its_neighbours() -> None:
    true = posed(reaching_away(9, 35.0), False, (0.0, 0.0, 3.0))
    told = posed(reaching_away(9, 30.0), False, (0.0, 0.0, 3.0))
    told[4] = posed(reaching_away(9, -35.0), False, (0.0, 0.0, 3.0))[4]
    turned = turn_palms(rays_of(true), told, LENGTHS, np.arange(9) / 15, PARAMS, left=False)
    alone = turn_palms(rays_of(true)[4:5], told[4:5], LENGTHS, np.zeros(1), PARAMS, left=False)
    assert error_deg(alone, true[4:5], False).max() > 40
    assert error_deg(turned, true, False)[4] < 16


def test_fingers_keep_their_place_in_the_palm() -> None:
    flat = posed(reaching_away(5, 10.0), False)
    turned = turn_palms(
        rays_of(posed(reaching_away(5, 45.0), False)), flat, LENGTHS, np.arange(5) / 15, PARAMS, left=False
    )
    between = [np.linalg.norm(x[:, :, None] - x[:, None], axis=-1) for x in (turned, flat)]
    np.testing.assert_allclose(*between, atol=1e-9)

import numpy as np
import pytest

from hoiset.builder.reconstruct.objects.standing import stand_longer
from hoiset.builder.reconstruct.objects.track import Cue

from ..scenes import HEIGHT


def at_rest(shot, tolerance_px):
    """Frames in which the thing is where it is at the beginning or at the end."""
    centre = np.array([np.argwhere(m).mean(0) for m in shot.masks[0]])
    return np.minimum(*(np.linalg.norm(centre - centre[k], axis=1) for k in (0, -1))) < tolerance_px


def test_a_thing_stands_until_it_is_taken_and_from_when_it_is_put_down(carry, carry_track):
    """The hand comes near before it takes it: that is no motion yet."""
    tolerance = 0.012 * HEIGHT
    truth = at_rest(carry, tolerance)
    before = int(((carry_track.cue == Cue.STANDING) != truth).sum())
    after = int(((stand_longer(carry_track, tolerance).cue == Cue.STANDING) != truth).sum())
    assert after < before
    assert after <= 6


def test_what_moves_keeps_its_way(carry_track):
    steady = stand_longer(carry_track, 2.0)
    moving = steady.cue != Cue.STANDING
    assert moving.any()
    np.testing.assert_array_equal(steady.affine[moving], carry_track.affine[moving])


@pytest.mark.parametrize("tolerance", [0.5, 2.0, 8.0])
def test_no_pose_is_changed_by_more_than_the_tolerance(carry_track, tolerance):
    steady = stand_longer(carry_track, tolerance)
    y, x = np.nonzero(carry_track.mask)
    middle = np.array([x.mean(), y.mean()])
    moved = [
        np.linalg.norm((a - b)[:, :2] @ middle + (a - b)[:, 2])
        for a, b in zip(steady.affine, carry_track.affine, strict=True)
    ]
    changed = np.array(moved)[np.array(moved) > 1e-6]
    # A single frame between two that stand may have seemed to be farther away.
    assert np.percentile(changed, 90) <= 2.0 * tolerance if len(changed) else tolerance < 1.0

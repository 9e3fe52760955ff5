"""Random hands, rotations and poses for tests of definitions."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from hoiset.geometry import make_T

SEEDS = st.integers(0, 2**31 - 1)
JOINTS = hnp.arrays(np.float64, (2, 21, 3), elements=st.floats(-0.5, 0.5, width=32))


def rotations(rng, *shape):
    n = int(np.prod(shape))
    return Rotation.random(n, rng=rng).as_matrix().reshape(*shape, 3, 3)


def poses(rng, n, depth=1.0):
    return make_T(rotations(rng, n), rng.normal((0.0, 0.0, depth), 0.1, (n, 3)))


def about(axis, degrees):
    return Rotation.from_rotvec(np.radians(degrees) * np.asarray(axis, float)).as_matrix()


def hands(rng, n):
    return rng.normal((0.0, 0.0, 0.6), 0.05, (n, 21, 3))

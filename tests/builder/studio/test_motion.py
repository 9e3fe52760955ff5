import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.studio.motion import minimum_jerk


@given(x=st.floats(-2, 3))
def test_minimum_jerk_is_monotone_symmetric_and_bounded(x: float) -> None:
    y, later = minimum_jerk(np.array([x, x + 0.01]))
    assert 0.0 <= y <= later <= 1.0
    assert minimum_jerk(np.array(1.0 - x)) == pytest.approx(1.0 - y, abs=1e-9)


def test_minimum_jerk_starts_and_ends_at_rest() -> None:
    step = 1e-4
    assert minimum_jerk(np.array(step)) < 1e-8
    assert 1.0 - minimum_jerk(np.array(1.0 - step)) < 1e-8

"""Clips and hands that are expensive to make and never changed."""

import numpy as np
import pytest

from hoiset.builder.studio import StudioClip, StudioParams, render_clip
from hoiset.builder.studio.hand import Hand, build_hand
from hoiset.builder.studio.skeleton import adult_skeleton

SMALL = StudioParams(width_px=320, height_px=240, duration_s=2.0, rate_hz=10.0)


def small(**fixed: object) -> StudioParams:
    """Small and short clips, quick enough for tests."""
    return SMALL.model_copy(update=fixed)


@pytest.fixture(scope="session")
def hand() -> Hand:
    return build_hand(adult_skeleton(), spacing_m=0.003)


@pytest.fixture(scope="session")
def right_mug() -> StudioClip:
    return render_clip(4, small(object_kind="mug", handedness="right"))


@pytest.fixture(scope="session")
def left_mug() -> StudioClip:
    return render_clip(4, small(object_kind="mug", handedness="left"))


@pytest.fixture(scope="session")
def left_box() -> StudioClip:
    return render_clip(1, small(object_kind="box", handedness="left"))


@pytest.fixture(scope="session", params=["right_mug", "left_box"])
def clip(request: pytest.FixtureRequest) -> StudioClip:
    return request.getfixturevalue(request.param)


def edge_counts(faces: np.ndarray) -> np.ndarray:
    """How many faces share each edge."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    return np.unique(edges, axis=0, return_counts=True)[1]

"""Takes that many tests look at, filmed once."""

from __future__ import annotations

import pytest

from hoiset.builder.reconstruct.objects.anchors import AnchorSearch, find_anchors
from hoiset.builder.reconstruct.objects.discover import discover
from hoiset.builder.reconstruct.objects.evidence import ObjectTrack
from hoiset.builder.reconstruct.objects.scene import Scene

from .scenes import Take, Thing, carried, moved, reaching, resting, scene_of, take


def search(shot: Take, scene: Scene) -> AnchorSearch:
    return find_anchors(shot.rgb, shot.joints_2d, scene.size_px, scene.states, scene.plate, None, scene.params)


@pytest.fixture(scope="session")
def carry() -> Take:
    """A right hand carries the one thing across the table."""
    return moved()


@pytest.fixture(scope="session")
def carry_scene(carry: Take) -> Scene:
    return scene_of(carry)


@pytest.fixture(scope="session")
def carry_search(carry: Take, carry_scene: Scene) -> AnchorSearch:
    return search(carry, carry_scene)


@pytest.fixture(scope="session")
def carry_track(carry_scene: Scene, carry_search: AnchorSearch) -> ObjectTrack:
    tracks, _ = discover(carry_scene, carry_search)
    assert len(tracks) == 1
    return tracks[0]


@pytest.fixture(scope="session")
def gone() -> Take:
    """A right hand takes the one thing out of the view."""
    path = carried((225, 60), (350, 70))
    return take([Thing(path)], [reaching(path)])


@pytest.fixture(scope="session")
def gone_scene(gone: Take) -> Scene:
    return scene_of(gone)


@pytest.fixture(scope="session")
def pair() -> Take:
    """A right hand carries thing 0 and leaves thing 1, round and of other colours, alone."""
    path = carried((160, 60), (240, 70))
    return take([Thing(path), Thing(resting(60, 70), round=True, seed=2)], [reaching(path)])


@pytest.fixture(scope="session")
def pair_scene(pair: Take) -> Scene:
    return scene_of(pair)

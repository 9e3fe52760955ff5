from pathlib import Path

import pytest

from hoiset.cards.statistics import describe
from hoiset.shards.index import read_index, write_index
from tests.factories import FPS
from tests.fixtures import pristine as pristine


def test_statistics_of_a_known_dataset(pristine: Path) -> None:
    s = describe(pristine, read_index(pristine, "v2"))
    assert s.clips == {"train": 4, "validation": 1}
    assert s.hours == pytest.approx({"train": (6 + 7 + 8 + 10) / FPS / 3600, "validation": 9 / FPS / 3600})
    assert (s.n_videos, s.n_frames) == (5, 40)
    assert s.verbs == [("lift", 2), ("push", 2), ("pour", 1)]
    assert s.labels == [("paper plate", 3), ("mug", 1)]
    assert s.states == [("grasped_right", 3), ("static", 1)]
    assert s.grasps == [("right", 3)]
    assert s.quality["quality"] == (0.5, 0.5, 0.5)
    assert "object_mask_iou" not in s.quality
    assert s.screen == []


def test_statistics_of_nothing(tmp_path: Path) -> None:
    write_index(tmp_path, "v2", [])
    s = describe(tmp_path, read_index(tmp_path, "v2"))
    assert (s.clips, s.n_videos, s.n_frames, s.verbs, s.quality) == ({}, 0, 0, [], {})

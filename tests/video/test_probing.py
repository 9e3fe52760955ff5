from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hoiset.video import count_frames, iter_frames, probe
from tests.clips import numbered, write_video


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_facts_of_a_written_video(tmp_path: Path, name: str) -> None:
    facts = probe(write_video(tmp_path / name, numbered(45)))
    assert (facts.width, facts.height, facts.n_frames, facts.codec) == (128, 96, 45, "h264")
    assert facts.fps == pytest.approx(30, rel=0.02)
    assert facts.duration_s == pytest.approx(1.5, abs=0.04)


def test_a_live_recording_without_duration_is_scanned(tmp_path: Path) -> None:
    path = write_video(tmp_path / "live.mkv", numbered(45), container_options={"live": "1"})
    facts = probe(path)
    assert facts.n_frames == 45
    assert facts.duration_s == pytest.approx(1.5, abs=0.04)


@pytest.mark.parametrize("name", ["teddy.mp4", "blender_sauce.gif", "robot_plate_push.mov", "close_laptop.mp4"])
def test_counts_are_what_decoding_gives(shared_data: Path, name: str) -> None:
    path = shared_data / "videos" / name
    time = [t for t, _ in iter_frames(path, short_side_px=64)]
    facts = probe(path)
    assert facts.n_frames == count_frames(path) == len(time)
    assert time[0] == 0
    assert (np.diff(time) > 0).all()
    assert facts.duration_s == pytest.approx(time[-1] + 1 / facts.fps, abs=0.06)

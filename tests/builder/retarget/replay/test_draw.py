"""Pictures of a replay, where this machine can draw without a display."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = """
import sys
import numpy as np
from hoiset.builder.retarget.replay.draw import draw_replay
from hoiset.builder.retarget.replay.records import ReplayParams
from hoiset.builder.retarget.replay.replay import replay_object
from tests.builder.retarget.replay.lifts import lift
trace = replay_object(lift("box"), 0, ReplayParams(rounds=0, draws=0))[1]
np.save(sys.argv[1], draw_replay(trace, n=3, height=120, width=160))
"""


def test_a_strip_of_frames(tmp_path: Path) -> None:
    pytest.importorskip("mujoco")
    env = os.environ | {"MUJOCO_GL": "egl"}
    file = tmp_path / "strip.npy"
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(file)], env=env, capture_output=True, text=True)
    if not file.exists() and ("EGL" in done.stderr or "OpenGL" in done.stderr):
        pytest.skip("this machine cannot draw through EGL")
    assert done.returncode == 0, done.stderr
    strip = np.load(file)
    assert strip.shape == (120, 480, 3)
    red, green, blue = strip[:, 160:320].astype(int).reshape(-1, 3).T
    assert ((blue > red + 40) & (blue > green + 20)).any()
    assert ((red > blue + 60) & (green > blue)).any()

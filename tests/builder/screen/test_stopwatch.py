from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hoiset.builder.screen import GATES, ScreenParams, screen_video
from hoiset.builder.screen.stopwatch import STEP_OF, STEPS, Stopwatch
from tests.builder.screen.scenes import SquareDetector, scene, video


class Clock:
    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("hoiset.builder.screen.stopwatch.time", clock)
    return clock


def test_seconds_add_up_also_where_a_step_fails(clock: Clock) -> None:
    step_s = {"fetch": 1.0, "hands": 2.0}
    watch = Stopwatch(step_s)

    def die() -> None:
        with watch.step("hands"):
            clock.now += 3
            raise ValueError("dead")

    with pytest.raises(ValueError, match="dead"):
        die()
    with watch.step("camera"):
        clock.now += 4
    assert step_s == {"fetch": 1.0, "hands": 5.0, "camera": 4.0}


def test_what_is_done_with_items_is_not_counted(clock: Clock) -> None:
    def slow() -> Iterator[int]:
        for i in range(3):
            clock.now += 1
            yield i
        clock.now += 10

    step_s: dict[str, float] = {}
    for _ in Stopwatch(step_s).each("decode", slow()):
        clock.now += 100
    assert step_s == {"decode": 13.0}


def test_every_gate_has_a_step() -> None:
    assert set(STEP_OF) == {*GATES, "unavailable"}
    assert sum(map(len, STEPS.values())) == len(STEP_OF)


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, {*STEPS} - {"fetch"}),
        ({"hand": lambda _: None}, {"decode", "camera", "picture", "hands"}),
        ({"camera": lambda t: (25 * t, 0)}, {"decode", "camera"}),
    ],
)
def test_screening_counts_the_steps_that_it_takes(tmp_path: Path, options: dict[str, Any], steps: set[str]) -> None:
    step_s: dict[str, float] = {}
    screen_video(video(tmp_path / "a.mp4", scene(3, **options)), SquareDetector(), ScreenParams(), step_s)
    assert set(step_s) == steps
    assert all(seconds > 0 for seconds in step_s.values())

from __future__ import annotations

import json

import pytest

from hoiset.builder.engine.meter import Meter, Timings


def test_runs_add_up_and_only_the_newest_says_what_was_not_to_be_had() -> None:
    saved: list[Timings] = []
    first = Meter(Timings(), total=4, done=0, failed=0, save=saved.append)
    first.add(2.0, {"depth": 1.5}, failed=False)
    first.add(1.0, {"depth": 0.5, "hands": 0.25}, failed=True, again="network")
    first.save()
    before = Timings.from_json(json.loads(json.dumps(saved[-1].to_json())))
    assert before == saved[-1]
    assert (before.done, before.failed, before.tasks, before.task_s) == (2, 1, 2, 3.0)
    assert before.stage_s == {"depth": 2.0, "hands": 0.25}
    assert before.unavailable == {"network": 1}
    second = Meter(before, total=4, done=2, failed=1, save=saved.append)
    second.add(1.0, {"hands": 0.75}, failed=False)
    now = second.timings()
    assert (now.done, now.tasks, now.task_s) == (3, 3, pytest.approx(4.0))
    assert now.stage_s == {"depth": 2.0, "hands": 1.0}
    assert now.unavailable == {}
    assert now.wall_s >= before.wall_s


def test_a_rate_needs_work() -> None:
    assert Timings().per_minute is None
    assert Timings(tasks=30, wall_s=60.0).per_minute == pytest.approx(30.0)

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hoiset.builder.acquire import AcquireParams
from hoiset.builder.acquire.hosts import HostGate
from hoiset.errors import AcquireError


def test_no_more_at_a_time_than_the_recipe_says(tmp_path: Path):
    params = AcquireParams(host_downloads=2)
    lock, state = threading.Lock(), {"now": 0, "peak": 0, "other": 0}
    both = threading.Barrier(2, timeout=30)

    def work(first: bool) -> None:
        for i in range(20):
            with HostGate(tmp_path, params).turn("example.org"):
                with lock:
                    state["now"] += 1
                    state["peak"] = max(state["peak"], state["now"])
                if first and i == 0:
                    both.wait()
                with lock:
                    state["now"] -= 1

    threads = [threading.Thread(target=work, args=(k < 2,)) for k in range(5)]
    for thread in threads[:2]:
        thread.start()
    for thread in threads[2:]:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert state["peak"] == 2


def test_another_host_has_its_own_turns(tmp_path: Path):
    gate = HostGate(tmp_path, AcquireParams(host_downloads=1))
    with gate.turn("a.example"), gate.turn("b.example"):
        pass


def test_a_pause_is_kept_between_downloads(tmp_path: Path):
    waits: list[float] = []
    gate = HostGate(tmp_path, AcquireParams(host_downloads=1, host_pause_s=30), waits.append)
    for _ in range(2):
        with gate.turn("a.example"):
            pass
    (wait,) = waits
    assert 25 < wait <= 30


def test_a_host_is_left_alone_by_all_who_share_the_folder(tmp_path: Path):
    waits: list[float] = []
    params = AcquireParams(max_wait_s=100)
    HostGate(tmp_path, params).leave_alone("a.example", 50)
    HostGate(tmp_path, params).leave_alone("a.example", 5)
    with HostGate(tmp_path, params, waits.append).turn("a.example"):
        pass
    (wait,) = waits
    assert 40 < wait <= 50
    HostGate(tmp_path, params).leave_alone("a.example", 500.0)
    with pytest.raises(AcquireError) as caught, HostGate(tmp_path, params).turn("a.example"):
        pass
    assert (caught.value.reason, caught.value.final) == ("rate_limited", False)


def test_a_host_that_keeps_refusing_is_asked_ever_less_until_it_answers(tmp_path: Path):
    gate = HostGate(tmp_path, AcquireParams(backoff_s=2))
    rests = []
    for _ in range(7):
        gate.leave_alone("a.example", None)
        rests.append(round(gate.rest_s("a.example")))
    assert rests == [8, 32, 128, 512, 2048, 3600, 3600]
    gate.welcomed("a.example")
    other = HostGate(tmp_path, AcquireParams(backoff_s=2000))
    other.leave_alone("a.example", None)
    assert other.rest_s("a.example") <= 3600
    gate.leave_alone("b.example", None)
    assert round(gate.rest_s("b.example")) == 8

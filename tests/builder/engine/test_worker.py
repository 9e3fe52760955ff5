import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from hoiset.builder.engine.worker import IsolatedWorker, worker_environment
from hoiset.errors import BackendUnavailable, ClipError

TOY = Path(__file__).with_name("toy_worker.py")


def toy(*arguments, **options) -> IsolatedWorker:
    return IsolatedWorker(TOY, command=[sys.executable, str(TOY), *arguments], **options)


class Frames:
    """Replayable frames that count how many are out at once."""

    def __init__(self, n, size=1000):
        self.n, self.size, self.given = n, size, 0

    def __iter__(self):
        for i in range(self.n):
            self.given += 1
            yield {"frame": np.full(self.size, i % 200, np.uint8)}


def run(worker, frames, op="sum", **options):
    sums = {}
    worker.request(op, options, frames, lambda i, a: sums.__setitem__(i, int(a["sum"])))
    return sums


def test_answers_come_in_order_and_the_process_is_kept():
    with toy() as worker:
        first = worker.start()["pid"]
        assert run(worker, Frames(7)) == {i: 1000 * i for i in range(7)}
        assert run(worker, Frames(0)) == {}
        assert worker.start()["pid"] == first


def test_big_messages_in_both_directions_cannot_block_each_other():
    with toy(window=4) as worker:
        sums = run(worker, Frames(12, size=3_000_000), reply_bytes=3_000_000, noise=100_000)
    assert sums == {i: 3_000_000 * i for i in range(12)}


def test_frames_are_taken_only_as_fast_as_they_are_answered():
    frames, behind = Frames(40), []
    with toy(window=3) as worker:
        worker.request("sum", {}, frames, lambda i, _: behind.append(frames.given - i))
    assert max(behind) <= 3


def test_a_crash_is_retried_once_from_the_first_frame(tmp_path):
    with toy() as worker:
        before = worker.start()["pid"]
        assert run(worker, Frames(9), at=5, once=str(tmp_path / "crashed")) == {i: 1000 * i for i in range(9)}
        assert worker.start()["pid"] != before


def test_a_second_crash_costs_the_clip_and_not_the_worker():
    with toy() as worker:
        with pytest.raises(ClipError, match="crash") as caught:
            run(worker, Frames(9), op="crash", at=5)
        assert caught.value.reason == "worker_crashed"
        assert run(worker, Frames(2)) == {0: 0, 1: 1000}


def test_frames_that_come_only_once_are_not_retried(tmp_path):
    with toy() as worker, pytest.raises(ClipError, match="dying now") as caught:
        run(worker, iter(Frames(9)), at=5, once=str(tmp_path / "crashed"))
    assert caught.value.reason == "worker_crashed"


def test_a_hanging_worker_is_given_up():
    with toy(reply_timeout_s=0.3) as worker:
        with pytest.raises(ClipError, match="in time"):
            run(worker, Frames(3), op="hang", at=1)
        assert run(worker, Frames(1)) == {0: 0}


def test_an_exception_in_the_worker_is_the_clips():
    with toy() as worker:
        with pytest.raises(ClipError, match="ValueError: bad frame") as caught:
            run(worker, Frames(5), op="raise", at=2)
        assert caught.value.reason == "worker_error"
        assert run(worker, Frames(1)) == {0: 0}


def test_an_exception_of_the_frames_passes_through_and_leaves_no_stale_answers():
    def broken():
        yield {"frame": np.full(10, 7, np.uint8)}
        raise RuntimeError("decoder")

    with toy() as worker:
        with pytest.raises(RuntimeError, match="decoder"):
            run(worker, broken())
        assert run(worker, Frames(1)) == {0: 0}


@pytest.mark.parametrize(
    ("argument", "expected"), [("--stillborn", "no such library"), ("--noise", "no message"), ("--mute", "in time")]
)
def test_a_worker_that_cannot_start_says_why(argument, expected):
    with toy(argument, start_timeout_s=1.5) as worker, pytest.raises(BackendUnavailable, match=expected):
        worker.start()


def test_our_environment_does_not_leak(monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    with toy() as worker:
        hello = worker.start()
    assert hello["venv"] == ""
    assert hello["safe"], "the script's neighbours must not shadow what it imports"
    kept = worker_environment({"UV_INDEX": "x", "HOME": "/h", "PYTHONHOME": "/p"})
    assert kept["UV_INDEX"] == "x"
    assert "PYTHONHOME" not in kept


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(pid, seconds=10.0):
    end = time.monotonic() + seconds
    while not gone(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return gone(pid)


def test_closing_ends_the_process_and_leaves_no_zombie():
    worker = toy()
    pid = worker.start()["pid"]
    worker.close()
    assert not psutil.pid_exists(pid)


def test_dropping_the_handle_ends_the_process():
    worker = toy()
    pid = worker.start()["pid"]
    del worker
    assert wait_until_gone(pid)


@pytest.mark.parametrize("how", [signal.SIGKILL, None])
def test_the_worker_goes_with_its_parent(how):
    code = (
        "import sys, time; from pathlib import Path; from hoiset.builder.engine.worker import IsolatedWorker as W\n"
        f"w = W(Path({str(TOY)!r}), command=[sys.executable, {str(TOY)!r}])\n"
        "print(w.start()['pid'], flush=True)\n" + ("time.sleep(60)\n" if how else "")
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    if how:
        os.kill(parent.pid, how)
    parent.wait(30)
    parent.stdout.close()
    assert wait_until_gone(pid)

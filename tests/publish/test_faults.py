"""Pushes through faults of the network and of the Hub, and pushes that are repeated after one that was cut off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hoiset.errors import PushError
from hoiset.publish import job
from hoiset.publish import push as module
from hoiset.shards.remote import Patience
from hoiset.shards.verify import verify_dataset
from tests.factories import make_dataset
from tests.fixtures import pristine as pristine
from tests.hub_writing import API, WritableHub, put, writable_hub
from tests.publish.pushes import AT_ONCE, pushed, state

ONCE = Patience(attempts=1, first_wait_s=0, longest_wait_s=0)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a repository had: shards of the same names, some with other bytes, and one more."""
    return make_dataset(tmp_path_factory.mktemp("before"), n_clips=9)


def kinds(requests: list[tuple[str, str]]) -> list[int]:
    """The first request of every kind."""
    first: dict[tuple[str, str], int] = {}
    for i, (method, path) in enumerate(requests):
        first.setdefault((method, "/".join(path.removeprefix(API).split("/")[:2])), i)
    return list(first.values())


def cut_and_repeat(root: Path, start: Path | None, tmp_path: Path, fault: str, *, every: bool) -> None:
    """Cut a push off at requests, each in turn, push again, and compare with a push that nothing disturbed.

    Args:
        root: What is pushed.
        start: What was pushed before, if anything.
        tmp_path: For the Hubs.
        fault: What becomes of the request at which it is cut off; after it nothing answers.
        every: Whether at every request, or only at the first of every kind.
    """
    sound = verify_dataset(root)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "verify_dataset", lambda root, version: sound)
        with hub_at(tmp_path / "start", None) as begun:
            if start is not None:
                pushed(start)
        with hub_at(tmp_path / "calm", begun) as calm:
            pushed(root)
        wanted, sent = state(calm), sum(calm.received.values())
        cuts = range(len(calm.requests)) if every else kinds(calm.requests)
        for n in cuts:
            with hub_at(tmp_path / f"cut-{n}", begun) as hub:
                hub.fault = lambda i, method, path, n=n: fault if i == n else "drop" if i > n else ""
                if n < len(calm.requests) - 2:
                    with pytest.raises(PushError, match="push again to go on"):
                        pushed(root, patience=ONCE)
                else:  # the answer to the last request may be lost without anybody missing it
                    with suppress(PushError):
                        pushed(root, patience=ONCE)
                assert {name: files for name, files in state(hub).items() if name != "main"}.items() <= wanted.items()
                arrived = {sha for sha in hub.received if hub.large(sha).exists()}
                once = dict(hub.received)
                hub.fault = lambda i, method, path: ""
                pushed(root)
                assert state(hub) == wanted, f"after a cut at request {n}"
                assert all(hub.received[sha] == once[sha] for sha in arrived)
                assert sum(hub.received.values()) - sum(once.values()) <= sent


@contextmanager
def hub_at(trunk: Path, begun: WritableHub | None) -> Iterator[WritableHub]:
    with pytest.MonkeyPatch.context() as patched, writable_hub(trunk, patched) as hub:
        if begun is not None and begun.exists:
            hub.stand_at(begun)
        yield hub


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("fault", ["drop", "lost"])
def test_cut_off_and_repeated(pristine: Path, before: Path, tmp_path: Path, over: bool, fault: str) -> None:
    cut_and_repeat(pristine, before if over else None, tmp_path, fault, every=False)


@pytest.mark.slow
@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("fault", ["drop", "lost"])
def test_cut_off_at_any_request_and_repeated(
    pristine: Path, before: Path, tmp_path: Path, over: bool, fault: str
) -> None:
    cut_and_repeat(pristine, before if over else None, tmp_path, fault, every=True)


def test_what_has_arrived_is_not_sent_again(pristine: Path, hub: WritableHub) -> None:
    hub.fault = lambda n, method, path: "500" if "/commit/" in path else ""
    with pytest.raises(PushError, match="push again to go on"):
        pushed(pristine)
    arrived = dict(hub.received)
    assert arrived
    hub.fault = lambda n, method, path: ""
    pushed(pristine)
    assert hub.received == arrived


@pytest.mark.parametrize("fault", ["500", "429", "drop", "lost"])
def test_every_request_may_fail_once(pristine: Path, hub: WritableHub, fault: str) -> None:
    seen = set[tuple[str, str]]()

    def first_time(n: int, method: str, path: str) -> str:
        known = (method, path.split("?")[0]) in seen
        seen.add((method, path))
        return "" if known else fault

    hub.fault = first_time
    done = pushed(pristine, patience=Patience(attempts=20, first_wait_s=0, longest_wait_s=0))
    assert (done.tag, set(hub.tags)) == ("v2.0.0", {"v2.0.0"})
    assert verify_dataset(hub.revisions["main"]).ok
    assert {c.action for c in done.changes} == {"new"}
    if fault == "429":
        assert 8.0 in hub.waits


def test_the_wait_that_the_hub_asks_for_is_kept(pristine: Path, hub: WritableHub) -> None:
    busy = iter(["429", "429"])
    hub.fault = lambda n, method, path: next(busy, "") if "/commit/" in path else ""
    pushed(pristine)
    assert hub.waits == [7.0, 7.0]


def test_slow_bytes(pristine: Path, hub: WritableHub) -> None:
    hub.fault = lambda n, method, path: "slow"
    assert pushed(pristine).tag == "v2.0.0"
    assert verify_dataset(hub.revisions["main"]).ok


def test_an_answer_that_never_comes(pristine: Path, hub: WritableHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hoiset.publish.failures.STALL_S", 0.3)
    stalls = iter(["stall"])
    hub.fault = lambda n, method, path: next(stalls, "") if "/commit/" in path else ""
    assert pushed(pristine).tag == "v2.0.0"


def test_the_clients_own_settings_come_back(pristine: Path, hub: WritableHub) -> None:
    from huggingface_hub.utils import are_progress_bars_disabled, get_session

    before = get_session().timeout, are_progress_bars_disabled()
    pushed(pristine)
    assert (get_session().timeout, are_progress_bars_disabled()) == before


def test_a_push_of_somebody_else_in_between(pristine: Path, hub: WritableHub) -> None:
    others = iter(["one", "two"])

    def somebody() -> None:
        if name := next(others, ""):
            hub.add_commit(lambda folder: put(folder / f"{name}.txt", b"theirs"))

    hub.before_commit = somebody
    assert pushed(pristine).tag == "v2.0.0"
    assert {"one.txt", "two.txt", "index/v2.parquet"} <= set(hub.files())
    assert [path for _, path in hub.writes].count(f"{API}/commit/main") == 3


def test_somebody_else_never_stops(pristine: Path, hub: WritableHub) -> None:
    hub.before_commit = lambda: hub.add_commit(lambda folder: put(folder / "theirs", str(len(hub.history)).encode()))
    with pytest.raises(PushError, match="somebody else keeps pushing there"):
        pushed(pristine)
    assert [path for _, path in hub.writes].count(f"{API}/commit/main") == AT_ONCE.attempts
    assert not hub.tags


def test_a_hub_that_drops_files_is_found_out(pristine: Path, hub: WritableHub) -> None:
    hub.after_commit = lambda folder: (folder / "index/v2.parquet").unlink()
    with pytest.raises(PushError, match=r"took the commit .* without index/v2\.parquet as sent"):
        pushed(pristine)
    assert not hub.tags


def test_many_shards_come_in_several_commits_and_the_index_in_the_last(
    before: Path, hub: WritableHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "FILES_A_COMMIT", 3)
    pushed(before)
    folders = [folder for _, folder in hub.history]
    has_index = [(folder / "index/v2.parquet").exists() for folder in folders]
    assert len(folders) > 3
    assert has_index == [False] * (len(folders) - 1) + [True]
    assert not any((folder / "README.md").exists() for folder in folders[:-1])
    assert verify_dataset(hub.revisions["main"]).ok


def test_no_reader_sees_shards_that_the_index_does_not_mean(
    pristine: Path, before: Path, hub: WritableHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "FILES_A_COMMIT", 1)
    pushed(before)
    n = len(hub.history)
    pushed(pristine)
    assert len(hub.history) == n + 1
    assert all(verify_dataset(folder).ok for _, folder in hub.history[n - 1 :])

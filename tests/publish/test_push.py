"""Whole pushes over HTTP to a Hub on loopback, and what readers then load."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hoiset
from hoiset.errors import DatasetError, PushError
from hoiset.shards.verify import verify_dataset
from tests.factories import make_dataset
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine
from tests.hub import REPO, oid
from tests.hub_writing import API, WritableHub, put
from tests.publish.pushes import actions, layers_of, manifest_of, pushed, state
from tests.shards.test_verify import bless, overwrite


def keys(version: str = "v2", **options: Any) -> list[str]:
    return hoiset.load_dataset(REPO, version, format="numpy", **options).keys


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards more than ``pristine``, one of the same name with other bytes, and two that are the same."""
    return make_dataset(tmp_path_factory.mktemp("more"), n_clips=9)


def test_what_is_pushed_is_the_directory_and_loads(pristine: Path, hub: WritableHub) -> None:
    done = pushed(pristine)
    assert (done.private, done.created, done.tag, done.tagged, done.notes) == (True, True, "v2.0.0", True, ())
    assert hub.visibility == "private"
    local = {p.relative_to(pristine).as_posix(): oid(p) for p in pristine.rglob("*") if p.is_file()}
    remote = hub.files()
    assert {name: digest for name, digest in remote.items() if name != ".gitattributes"} == {
        **local,
        "README.md": remote["README.md"],
    }
    there, here = ((root / "README.md").read_text() for root in (hub.revisions["main"], pristine))
    assert there == here.replace("path/or/repo", REPO) != here
    assert verify_dataset(hub.revisions["main"]).ok
    assert keys(revision="v2.0.0", split=None) == [f"clip_{i:02d}" for i in range(5)]
    rgb = hoiset.load_dataset(REPO, "v2", layers=("core", "video"), format="numpy")[0]["rgb"]
    np.testing.assert_array_equal(
        rgb, hoiset.load_dataset(pristine, "v2", layers=("core", "video"), format="numpy")[0]["rgb"]
    )


def test_content_comes_first_then_one_commit_that_names_its_parent_then_the_tag(
    pristine: Path, hub: WritableHub
) -> None:
    pushed(pristine)
    paths = [path for _, path in hub.writes]
    assert paths[0] == "/api/repos/create"
    assert paths[-1].startswith(f"{API}/tag/")
    assert [path for path in paths if "/commit/" in path] == [f"{API}/commit/main"]
    assert paths.index(f"{API}/commit/main") > max(i for i, path in enumerate(paths) if path.startswith("/large/"))


def test_pushed_again_sends_nothing(pristine: Path, hub: WritableHub) -> None:
    pushed(pristine)
    before = state(hub)
    hub.requests.clear()
    done = pushed(pristine)
    assert (done.tag, done.tagged, actions(done), hub.writes) == ("v2.0.0", False, {}, [])
    assert state(hub) == before


def test_only_what_changed_is_sent_and_what_is_gone_is_removed(pristine: Path, more: Path, hub: WritableHub) -> None:
    pushed(more)
    hub.received.clear()
    done = pushed(pristine)
    assert done.tag == "v2.1.0"
    found = actions(done)
    assert found["removed"] == {f"data/v2/{layer}/train-0000{i}.tar" for layer in ("core", "video") for i in (2, 3)}
    assert "data/v2/core/validation-00000.tar" in found["changed"]
    assert {c.path for c in done.changes if c.action == "same"} >= {"data/v2/core/train-00000.tar"}
    large = [c for c in done.changes if c.action == "changed" and not c.path.endswith((".md", ".json"))]
    assert sum(hub.received.values()) == sum(c.bytes for c in large)
    assert keys(split=None, revision="v2.0.0") == [f"clip_{i:02d}" for i in range(9)]
    assert keys(split=None) == [f"clip_{i:02d}" for i in range(5)]
    assert verify_dataset(hub.revisions["main"]).ok
    assert "the tags v2.0.0 keep them" in "".join(done.notes)


def test_a_changed_figure_is_a_patch(dataset: Path, hub: WritableHub) -> None:
    pushed(dataset)
    overview = dataset / "figures/v2-overview.png"
    put(overview, (dataset / "figures/v2-quality.png").read_bytes())
    bless(dataset)
    done = pushed(dataset)
    assert done.tag == "v2.0.1"
    assert actions(done) == {"changed": {"figures/v2-overview.png", "manifest/v2.json", "croissant.json"}}


def test_earlier_versions_keep_loading_and_keep_their_configs(pristine: Path, tmp_path: Path, hub: WritableHub) -> None:
    old = make_dataset(tmp_path / "old", n_clips=2, version="v1")
    pushed(old, "v1")
    one = {name: digest for name, digest in hub.files().items() if "v1" in name}
    done = pushed(pristine)
    assert done.tag == "v2.0.0"
    assert set(hub.tags) == {"v1.0.0", "v2.0.0"}
    assert one.items() <= hub.files().items()
    for revision in (None, "v1.0.0", "v2.0.0"):
        assert keys("v1", revision=revision) == ["clip_00", "clip_01"]
    card = (hub.revisions["main"] / "README.md").read_text()
    assert all(f"- config_name: {name}\n" in card for name in ("v1", "v1-video", "v2", "v2-video"))
    assert card.count("default: true") == 1
    hub.requests.clear()
    again = pushed(old, "v1")
    assert (again.tag, again.tagged, hub.writes) == ("v1.0.0", False, [])


def test_a_dry_run_says_what_would_go_and_writes_nothing(
    pristine: Path, more: Path, hub: WritableHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    would = pushed(pristine, dry_run=True)
    assert (would.created, would.private, would.tag, would.commit) == (True, True, "v2.0.0", "")
    assert (set(actions(would)), hub.writes, hub.exists) == ({"new"}, [], False)
    pushed(pristine, public=True)
    hub.requests.clear()
    monkeypatch.setenv("HF_TOKEN", "")
    would = pushed(more, dry_run=True, token=False)
    assert (would.created, would.private, would.tag, would.notes[0]) == (
        False,
        False,
        "v2.1.0",
        "the repository is public",
    )
    assert "data/v2/core/validation-00000.tar" in actions(would)["changed"]
    assert (hub.writes, set(hub.tags)) == ([], {"v2.0.0"})


def test_what_is_damaged_is_not_pushed(dataset: Path, hub: WritableHub) -> None:
    overwrite(dataset, "clip_01", "object_state.npy", lambda data: data[:-1] + b"\x4d")
    with pytest.raises(PushError, match=r"is damaged, nothing was sent: data/v2/core/train-00000\.tar.*hoiset repair"):
        pushed(dataset)
    assert not hub.requests


def test_a_tag_is_never_moved(pristine: Path, more: Path, hub: WritableHub) -> None:
    assert pushed(pristine, tag="paper").tag == "paper"
    hub.requests.clear()
    with pytest.raises(PushError, match="has a tag 'paper' of something else, which is never moved"):
        pushed(more, tag="paper")
    assert hub.writes == []
    again = pushed(pristine, tag="paper")
    assert (again.tagged, hub.writes) == (False, [])
    assert pushed(pristine, tag="v2.3.0").tagged
    assert pushed(more).tag == "v2.4.0"


@pytest.mark.parametrize("tag", ["", "..", "-x", "a b", "x.lock", "a/../b", "x" * 101])
def test_a_strange_tag_is_refused(pristine: Path, hub: WritableHub, tag: str) -> None:
    with pytest.raises(PushError, match="expected letters, digits, dots and dashes"):
        pushed(pristine, tag=tag)


@pytest.mark.parametrize("repo", ["name", "../x/y", "a/b/c", "owner/na me", "https://x/y", ""])
def test_a_strange_name_is_refused(pristine: Path, repo: str) -> None:
    with pytest.raises(PushError, match="expected OWNER/NAME"):
        hoiset.push(repo, "v2", pristine)


def test_a_version_that_is_not_there(pristine: Path, hub: WritableHub) -> None:
    with pytest.raises(DatasetError, match="no version 'v7' with a manifest; versions there: v2"):
        pushed(pristine, "v7")


def test_some_layers_only(pristine: Path, hub: WritableHub) -> None:
    done = pushed(pristine, layers=["core"])
    assert (done.layers, done.tag) == (("core",), "v2.0.0")
    assert layers_of(hub) == {"core"}
    assert manifest_of(hub)["left_behind"] == ["video"]
    root = hub.revisions["main"]
    assert verify_dataset(root).ok
    assert "v2-video" not in (root / "README.md").read_text()
    with pytest.raises(DatasetError, match="has no layer 'video'; layers there: core"):
        hoiset.load_dataset(REPO, "v2", layers=("core", "video"))
    assert keys(split=None) == [f"clip_{i:02d}" for i in range(5)]
    assert pushed(pristine).tag == "v2.1.0"
    assert layers_of(hub) == {"core", "video"}
    back = pushed(pristine, layers=["core"])
    assert actions(back)["removed"] == {
        f"data/v2/video/{n}.tar" for n in ("train-00000", "train-00001", "validation-00000")
    }


@pytest.mark.parametrize(
    ("layers", "what"), [(["video"], "expected core among them"), (["core", "smell"], "no layer smell")]
)
def test_layers_that_make_no_dataset(pristine: Path, hub: WritableHub, layers: list[str], what: str) -> None:
    with pytest.raises(PushError, match=what):
        pushed(pristine, layers=layers)


def test_the_token_is_nowhere(
    pristine: Path,
    hub: WritableHub,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="huggingface_hub")
    hub.fault = lambda n, method, path: "500" if method == "PUT" and n < 20 else ""
    done = pushed(pristine)
    hub.fault = lambda n, method, path: "401" if method == "POST" else ""
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    with pytest.raises(PushError) as refused:
        pushed(pristine, tag="other", token="hf_anothersecretsecret")
    out = capfd.readouterr()
    told = "".join((repr(done), str(refused.value), caplog.text, out.out, out.err))
    assert "HTTP Error 500" in caplog.text + out.err
    for secret in ("secretsecret", "secretsignature"):
        assert secret not in told
        for path in [p for p in tmp_path.rglob("*") if p.is_file()]:
            assert secret.encode() not in path.read_bytes()
    assert "log in with `hf auth login`" in str(refused.value)

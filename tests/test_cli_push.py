from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import pristine as pristine
from tests.hub import REPO
from tests.hub_writing import WritableHub, writable_hub
from tests.publish.pushes import make_web_dataset


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritableHub]:
    with writable_hub(tmp_path / "hub", monkeypatch) as web:
        yield web


def without_size(text: str) -> str:
    """The text without numbers of megabytes; what travels beside the files counts as well."""
    return re.sub(r"\b0\.\d MB", "MB", text)


def test_dry_run_then_push_then_nothing_to_do(pristine: Path, hub: WritableHub, run_command: Any) -> None:
    args = ("push", REPO, "--split", "v2", "--from", pristine)
    code, out, err = run_command(*args, "--dry-run")
    assert (code, err) == (0, "")
    table = dict(line.split("\t", 1) for line in out.splitlines()[1:-1])
    assert table["data/v2/core/train-00000.tar"] == "new\t40960"
    n = sum(path.is_file() for path in pristine.rglob("*"))
    told = f"v2 to {REPO} (new, private): {n} new; MB to send, new tag v2.0.0; dry run, nothing was sent\n"
    assert without_size(out).endswith(told)
    assert len(table) == n
    assert hub.writes == []
    code, out, err = run_command(*args)
    assert (code, err) == (0, "")
    told = f"{hub.url}/datasets/{REPO} (private): {n} new; MB sent, new tag v2.0.0\n"
    assert without_size(out).endswith(told)
    code, out, err = run_command(*args)
    assert (code, err) == (0, "")
    assert out == f"{hub.url}/datasets/{REPO} (private) has v2 already, as tag v2.0.0; nothing was sent\n"


def test_json_is_all_that_stdout_holds(pristine: Path, hub: WritableHub, run_command: Any) -> None:
    args = ("push", REPO, "--split", "v2", "--from", pristine, "--layers", "core", "--public", "--tag", "one", "--json")
    code, out, _ = run_command(*args)
    done = json.loads(out)
    assert code == 0
    assert (done["tag"], done["layers"], done["private"], done["dry_run"]) == ("one", ["core"], False, False)
    assert done["bytes_to_send"] == sum(c["bytes"] for c in done["changes"])
    assert hub.visibility == "public"


def test_refusals_are_problems_of_the_data(tmp_path: Path, hub: WritableHub, run_command: Any) -> None:
    root = make_web_dataset(tmp_path / "web", lambda i: {"licence": ""})
    code, _, err = run_command("push", REPO, "--split", "v2", "--from", root)
    assert code == 1
    assert "video: 3 clips of 3 sources with no known licence" in err
    assert "--allow-redistribution REASON" in err
    code, _, _ = run_command("push", REPO, "--split", "v2", "--from", root, "--allow-redistribution", "I filmed it.")
    assert code == 0
    assert "I filmed it." in (hub.revisions["main"] / "README.md").read_text()

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hoiset import console
from hoiset.shards.verify import verify_dataset
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine

KEYS = ["clip_01", "clip_04"]


@pytest.mark.parametrize(
    "args",
    [
        ["verb = 'lifting' and object ~ \"mugs\""],
        ["quality.score >= 0.5", "--verb", "lift", "--object", "mug"],
        ["--verb", "lift", "--verb", "juggle", "--grasp", "right"],
    ],
)
def test_query_and_options_choose(run_command: Any, pristine: Path, args: list[str]) -> None:
    code, out, _ = run_command("filter", pristine, *args, "--keys")
    assert (code, out.split()) == (0, KEYS)
    code, out, _ = run_command("filter", pristine, *args, "--json")
    assert [row["key"] for row in json.loads(out)] == KEYS
    assert "members" not in json.loads(out)[0]


def test_a_preview_and_how_many_there_are(run_command: Any, pristine: Path) -> None:
    code, out, _ = run_command("filter", pristine, "true", "--limit", "2")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()[:3]] == ["key", "clip_00", "clip_01"]
    assert "... and 3 more" in out
    assert out.splitlines()[-1].startswith("5 clips, ")
    code, out, _ = run_command("filter", pristine, "false")
    assert out.splitlines()[-1] == "0 clips, 0.0 s, of 5 clips"
    for flags, count in ((["--limit", "2", "--keys"], 2), (["--keys"], 5)):
        assert len(run_command("filter", pristine, *flags)[1].split()) == count
    assert len(json.loads(run_command("filter", pristine, "--limit", "3", "--json")[1])) == 3
    assert json.loads(run_command("filter", pristine, "false", "--json")[1]) == []


def test_a_wrong_query_is_shown_where_it_is_wrong(run_command: Any, pristine: Path) -> None:
    code, out, err = run_command("filter", pristine, 'verb = "pour" and grasp = "bothh"')
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: grasp: found 'bothh', expected one of left, right, both, any, none; both?",
        '  verb = "pour" and grasp = "bothh"',
        "                            ^^^^^^^",
    ]
    code, _, err = run_command("filter", pristine, "--grasp", "foot")
    assert (code, err.count("\n")) == (2, 1)
    code, _, err = run_command("info", pristine, "--by", "verb", "--where", "vreb is null")
    assert code == 2
    assert "did you mean verb" in err


def test_matches_are_written_by_suffix(run_command: Any, pristine: Path, tmp_path: Path) -> None:
    for name in ("keys.txt", "some.parquet", "data"):
        code, out, _ = run_command("filter", pristine, 'verb = "lift"', "--to", tmp_path / name, "--json")
        assert code == 0
        assert json.loads(out) == {"to": str(tmp_path / name), "query": 'verb = "lift"', "clips": 2}
    assert (tmp_path / "keys.txt").read_text().split() == KEYS
    assert run_command("filter", tmp_path / "some.parquet", "--keys")[1].split() == KEYS
    assert run_command("filter", tmp_path / "data", "--keys")[1].split() == KEYS
    assert verify_dataset(tmp_path / "data").ok


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--to", "full"], 1, "not empty"),
        (["--keys", "--json"], 2, "choose one"),
        (["--to", "x.txt", "--limit", "2"], 2, "every match"),
        (["--to", "data/index/v2.parquet"], 1, "outside the dataset"),
        (["--version", "v9"], 1, "versions there: v2"),
    ],
)
def test_calls_that_cannot_be_meant(
    run_command: Any, dataset: Path, args: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dataset.parent)
    Path("full").mkdir()
    Path("full/x").touch()
    Path("data").symlink_to(dataset)
    before = (dataset / "index" / "v2.parquet").read_bytes()
    found, _, err = run_command("filter", "data", *args)
    assert found == code
    assert message in " ".join(err.split())
    assert (dataset / "index" / "v2.parquet").read_bytes() == before


def test_info_counts(run_command: Any, pristine: Path) -> None:
    code, out, _ = run_command("info", pristine, "--by", "verb", "--by", "grasp", "--json")
    found = json.loads(out)
    assert code == 0
    assert [(f["value"], f["clips"], f["share"]) for f in found["by"]["verb"]] == [
        ("lift", 2, 0.4), ("push", 2, 0.4), ("pour", 1, 0.2),
    ]  # fmt: skip
    assert [(f["value"], f["clips"]) for f in found["by"]["grasp"]] == [("right", 3), (None, 2)]
    code, out, _ = run_command("info", pristine, "--by", "verb", "--where", 'grasp = "right"', "--limit", "1")
    assert out.splitlines()[:2] == ["verb\tclips\tshare\thours", "lift\t2\t66.7 %\t0.000"]
    assert "... and 1 more" in out
    assert run_command("info", pristine, "--where", "true")[0] == 2


def test_rows_of_json_are_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    for rows in ([], [{"a": 1}], [{"a": 1}, {"a": "é\n"}]):
        console.print_json_rows(rows)
        assert json.loads(capsys.readouterr().out) == rows


def test_info_is_told_in_units(run_command: Any, pristine: Path) -> None:
    code, told, _ = run_command("info", pristine)
    rows = dict(line.split("\t") for line in told.splitlines())
    assert code == 0
    assert all(part.endswith(" s") for part in rows["duration"].split(", "))
    assert " kB for 6 s" in rows["size of core"]
    assert "10th and 90th percentile" in rows["quality, median"]

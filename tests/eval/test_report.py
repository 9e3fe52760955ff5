from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hoiset import cli
from hoiset.eval import METRICS, Evaluation, evaluate
from hoiset.eval.report import calibration_rows, tables, write_report
from tests.eval import scenes as s


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A build of eight clips, one of which is missing, and its truth."""
    root = tmp_path_factory.mktemp("report")
    truth = [s.make_truth(f"{name}.mp4", shift=0.01 * i) for i, name in enumerate("abcdefgh")]
    build = []
    for i, sample in enumerate(truth[1:]):
        build.append(s.perturbed(sample, lambda x, i=i: s.move_hands(x, (0.005 * i, 0.0, 0.0))))
        build[-1]["clip.json"]["quality"]["score"] = 0.9 - 0.1 * i
    s.write_candidates(root / "build", [(f"{n}.mp4", 0.0, 3.0, "no_hands" if n == "a" else "ok") for n in "abcdefgh"])
    return s.write_dataset(root / "build", build), s.write_dataset(root / "truth", truth, "studio")


@pytest.fixture(scope="module")
def found(pair: tuple[Path, Path]) -> Evaluation:
    return evaluate(*pair)


@pytest.fixture
def hoiset(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*args: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hoiset", *map(str, args)])
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


@pytest.fixture(scope="module")
def written(found: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_report(found, tmp_path_factory.mktemp("written"))


def test_files_of_a_report(written: list[Path]) -> None:
    read = json.loads(written[0].read_text(), parse_constant=pytest.fail)
    assert {"clips", "pooled", "screening", "calibration", "meta"} <= set(read)
    table = pq.read_table(written[1])
    assert table.num_rows == 8
    assert {m.name for m in METRICS if m.group != "screening"} <= set(table.column_names)
    assert table["status"].to_pylist() == ["no_hands"] + ["ok"] * 7
    assert table["hand_mpjpe_mm"].to_pylist()[:2] == [None, pytest.approx(0.0, abs=1e-5)]
    assert {p.name for p in written if p.suffix == ".png"} == {
        "confusion.png",
        "pck.png",
        "clips.png",
        "calibration.png",
    }
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in written if p.suffix == ".png")


def test_a_score_that_falls_with_the_error_is_worth_filtering_on(found: Evaluation) -> None:
    rows = {row[0]: row for row in calibration_rows(found.calibration)}
    assert rows["wrist_depth_error_percent"][1] == "-1.000"
    assert rows["wrist_depth_error_percent"][-1] == "yes"


def test_every_group_has_a_table(found: Evaluation) -> None:
    shown = dict(tables(found))
    assert set(shown) == {m.group for m in METRICS}
    assert sum(len(rows) for rows in shown.values()) == len(METRICS)


def test_the_command_prints_and_writes_the_same(
    hoiset: Callable[..., tuple[int, str, str]], pair: tuple[Path, Path], written: list[Path], tmp_path: Path
) -> None:
    code, stdout, stderr = hoiset("eval", *pair, "--out", tmp_path / "out")
    assert (code, stderr) == (0, "")
    assert "v2: 7 samples against 8 true clips" in stdout
    assert "hand_recall\t0.875" in stdout
    assert "a_mp4\tno_hands" in stdout
    assert [(tmp_path / "out" / p.relative_to(written[0].parent)).read_bytes() for p in written] == [
        p.read_bytes() for p in written
    ]
    code, stdout, _ = hoiset("eval", *pair, "--json")
    assert code == 0
    read = json.loads(stdout, parse_constant=pytest.fail)
    assert read["pooled"]["clip_recall"]["value"] == 0.875


def test_wrong_calls_and_wrong_data(
    hoiset: Callable[..., tuple[int, str, str]], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    assert hoiset("eval", pair[0])[0] == 2
    assert hoiset("eval", *pair, "--nope")[0] == 2
    for args in ((tmp_path, pair[1]), (pair[0], tmp_path / "nowhere"), (*pair, "--split", "v9")):
        code, stdout, stderr = hoiset("eval", *args)
        assert (code, stdout) == (1, "")
        assert stderr.startswith("error: ")

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hoiset.builder.records import SourceVideo
from hoiset.builder.screen import MEASURED, ScreenParams
from hoiset.builder.screen.gates import first_failed
from hoiset.builder.screen.report import Throughput, write_report
from hoiset.builder.screen.summary import BINS, summarise
from hoiset.errors import DatasetError
from tests.builder.screen.scenes import scene, video

PARAMS = ScreenParams()
GOOD = {
    "duration_s": 5.0, "black": 0.0, "camera_shift": 0.002, "change": 0.3, "blur": 0.3, "split": 0.1, "inset": 0.1,
    "text": 0.01, "hand_s": 4.0, "hand_ratio": 0.8, "hand_size": 0.3, "hand_cut_off": 0.1, "hand_score": 0.9,
    "hand_skin": 0.9, "hand_speed": 0.5, "object_motion": 0.2,
}  # fmt: skip
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


def write_table(path: Path, n: int = 200, **uids: str) -> list[dict]:
    """A table of spans of which every value is sometimes too small or too large."""
    rng, rows = np.random.default_rng(0), list[dict]()
    for i in range(n):
        measured = {name: value * rng.lognormal(0, 0.7) for name, value in GOOD.items()}
        if i % 7 == 0:
            measured |= {name: np.nan for name in MEASURED if name.startswith("hand") or name == "object_motion"}
        gate, detail = first_failed(measured, PARAMS)
        rows.append(
            {"uid": f"{i // 2:04d}.mp4", "segment": i % 2, "start_s": 5.0 * (i % 2), "end_s": 5.0 * (i % 2) + 5}
            | {"gate": gate, "detail": detail, **measured}
        )
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=37)
    return rows


class Page(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_numbers_are_those_of_the_table(tmp_path: Path) -> None:
    rows = write_table(tmp_path / "candidates.parquet")
    write_report(tmp_path, PARAMS, throughput=Throughput(100, 360.0, 200.0))
    record = json.loads((tmp_path / "report.json").read_text())
    gates = [row["gate"] for row in rows]
    assert (record["videos"], record["spans"], record["passed"]) == (100, 200, gates.count("ok"))
    assert {step["gate"]: step["stopped"] for step in record["funnel"]} == {
        g: gates.count(g) for g in {*gates} - {"ok"}
    }
    assert record["funnel"][-1]["entered"] - record["funnel"][-1]["stopped"] == record["passed"]
    assert [s["entered"] for s in record["funnel"]] == sorted((s["entered"] for s in record["funnel"]), reverse=True)
    assert record["throughput"]["core_hours_per_1000_spans"] == pytest.approx(0.5)
    for name, histogram in record["histograms"].items():
        measured = sum(np.isfinite(row[name]) for row in rows)
        assert sum(map(sum, (histogram[kind] for kind in ("passed", "stopped", "other")))) == measured
        assert len(histogram["edges"]) == BINS + 1


def test_the_funnel_says_what_a_gate_costs(tmp_path: Path) -> None:
    write_table(tmp_path / "candidates.parquet")
    write_report(tmp_path, PARAMS, throughput=Throughput(100, 360.0, 200.0, {"camera": 90.0, "hands": 7200.0}))
    assert json.loads((tmp_path / "report.json").read_text())["throughput"]["step_s"] == {"camera": 90, "hands": 7200}
    funnel = (tmp_path / "report.html").read_text().partition("</table>")[0]
    for gate, cost in (("camera_moves", "camera: 90 s"), ("no_hands", "hands: 2.0 h"), ("blurred", "")):
        row = funnel.partition(f"<code>{gate}</code>")[2].partition("</tr>")[0]
        assert row.endswith(f'<td class="n">{cost}</td>')


def test_examples_do_not_depend_on_how_the_table_is_cut(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet")
    pq.write_table(pq.read_table(tmp_path / "a.parquet"), tmp_path / "b.parquet", row_group_size=3)
    a, b = (summarise(tmp_path / name, PARAMS, passed=5, stopped=3) for name in ("a.parquet", "b.parquet"))
    assert a.examples == b.examples
    assert all(len(e) <= (5 if gate == "ok" else 3) for gate, e in a.examples.items())


def test_the_page_stands_alone_and_shows_clips(tmp_path: Path) -> None:
    clip = video(tmp_path / "0001.mp4", scene(10), action=EVIL)
    rows = write_table(tmp_path / "candidates.parquet", 4)
    write_report(tmp_path, PARAMS, [clip], title=f"pass 1 of {EVIL}")
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    shown = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert sum(src.startswith("data:image/jpeg") for src in shown if src) == sum(r["uid"] == "0001.mp4" for r in rows)
    assert all(src is not None and src.startswith("data:image/") for src in shown)
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "object")]
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert not re.search(r"https?://", text)
    assert "&lt;script&gt;" in text


def test_names_from_outside_are_escaped_wherever_they_stand(tmp_path: Path) -> None:
    row = {"uid": EVIL, "segment": 0, "start_s": 0.0, "end_s": 1.0, "gate": EVIL, "detail": EVIL, **GOOD}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "candidates.parquet")
    write_report(tmp_path, PARAMS)
    assert "<script" not in (tmp_path / "report.html").read_text()


def test_a_video_that_is_not_here_and_a_broken_one_have_no_picture(tmp_path: Path) -> None:
    (tmp_path / "0000.mp4").write_text("no video")
    write_table(tmp_path / "candidates.parquet", 4)
    write_report(tmp_path, PARAMS, [SourceVideo("0000.mp4", tmp_path / "0000.mp4"), SourceVideo("0001.mp4", Path())])
    assert (tmp_path / "report.html").read_text().count("no picture") == 4


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_table(tmp_path / name / "candidates.parquet")
        write_report(tmp_path / name, PARAMS)
    for file in ("report.html", "report.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_an_empty_table_is_a_report_too(tmp_path: Path) -> None:
    write_table(tmp_path / "candidates.parquet", 2)
    table = pq.read_table(tmp_path / "candidates.parquet").slice(0, 0)
    pq.write_table(table, tmp_path / "candidates.parquet")
    assert write_report(tmp_path, PARAMS).total == 0


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not a table of pass 1"):
        write_report(tmp_path, PARAMS)
    (tmp_path / "candidates.parquet").write_text("hello")
    with pytest.raises(DatasetError, match="run hoiset screen"):
        write_report(tmp_path, PARAMS)

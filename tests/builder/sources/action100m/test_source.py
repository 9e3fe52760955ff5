from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from hoiset.builder.records import SourceVideo
from hoiset.builder.sources import open_source
from hoiset.builder.sources.action100m.params import Action100MParams
from hoiset.builder.sources.action100m.source import Action100MSource
from hoiset.errors import SourceError
from tests.builder.sources.action100m.corpus import (
    gpt,
    node,
    pouring,
    row,
    uid_of,
    wrapped,
    write_json,
    write_parquet,
)


def test_an_entry_says_all_that_is_known(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [[row("abc-DEF_123", [node("x", 1.25, 7.5, None, gpt())])]])
    (video,) = Action100MSource(tmp_path, Action100MParams(licence="CC-BY-4.0")).videos()
    assert video == SourceVideo(
        uid="abc-DEF_123",
        path=Path(),
        remote="youtube:abc-DEF_123",
        url="https://www.youtube.com/watch?v=abc-DEF_123",
        licence="CC-BY-4.0",
        action="Pour water into the glass",
        objects=("water", "glass", "jug"),
        objects_source=("gpt.action.brief", "gpt.action.brief", "gpt.action.detailed"),
        summary="A hand pours water from a jug into a glass.",
        start_s=1.25,
        end_s=7.5,
    )


def test_the_published_rows(shared_data: Path) -> None:
    source = open_source(shared_data / "action100m" / "examples.parquet", "action100m")
    videos = list(source.videos())
    assert 250 <= len(videos) <= 350
    assert not any(v.problem or v.licence for v in videos)
    assert all(4 <= v.end_s - v.start_s <= 30 for v in videos)
    assert len({(v.uid, v.start_s, v.end_s) for v in videos}) == len(videos)
    uids = list(dict.fromkeys(v.uid for v in videos))
    assert [v.uid for v in videos] == [uid for uid in uids for v in videos if v.uid == uid]
    for uid in uids:
        spans = [(v.start_s, v.end_s) for v in videos if v.uid == uid]
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert "PDmUmo5EOGw" not in uids  # a recording of a computer's screen
    assert list(source.videos()) == videos


def test_the_stream_is_read_as_it_is_asked_for(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [[pouring(uid_of(1), 2)]])
    (tmp_path / "b.parquet").write_bytes(b"PAR1 not")
    videos = Action100MSource(tmp_path).videos()
    assert inspect.isgenerator(videos)
    assert [next(videos).start_s, next(videos).start_s] == [0, 10]
    with pytest.raises(SourceError, match=r"b\.parquet cannot be read"):
        next(videos)


def test_another_thread_may_read_on(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [[pouring(uid_of(i)) for i in range(3)]])
    videos = Action100MSource(tmp_path).videos()
    first = next(videos)
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(list, videos).result()
    assert [v.uid for v in (first, *rest)] == [uid_of(i) for i in range(3)]


def test_a_video_counts_once_and_its_other_rows_are_told(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", wrapped(row(uid_of(1), None)))
    write_parquet(tmp_path / "b.parquet", [[pouring(uid_of(1), 2), pouring(uid_of(2))], [pouring(uid_of(1))]])
    write_json(tmp_path / "c.json", wrapped(pouring(uid_of(2))))
    videos = list(Action100MSource(tmp_path).videos())
    assert [(v.uid, v.start_s, bool(v.problem)) for v in videos] == [
        ("a.json, row 1", None, True),
        (uid_of(1), 0, False),
        (uid_of(1), 10, False),
        (uid_of(2), 0, False),
        ("b.parquet, row 3", None, True),
        ("c.json, row 1", None, True),
    ]
    assert f"video {uid_of(1)} again" in videos[4].problem
    assert all(not v.remote and not v.url for v in videos if v.problem)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    write_json(tmp_path / "a\nb.json", {})
    (video,) = Action100MSource(tmp_path).videos()
    assert video.uid.isprintable()
    assert video.problem.isprintable()


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nothing at"):
        open_source(tmp_path / "nowhere", "action100m")

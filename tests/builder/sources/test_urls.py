from __future__ import annotations

from pathlib import Path

import pytest

from hoiset.builder.sources import open_source
from hoiset.builder.sources.urls import UrlSource
from hoiset.errors import SourceError


def table(root: Path, text: str, name: str = "table.csv") -> Path:
    path = root / name
    path.write_text(text)
    return path


def test_a_table_of_addresses_is_a_source(tmp_path: Path):
    path = table(
        tmp_path,
        "url,action,objects,start_s,end_s,licence\n"
        "https://example.org/b.mp4,Stack two cups.,cup; cup,1,4,CC0-1.0\n"
        "https://youtu.be/-wtIMTCHWuI,,,5,9,\n"
        "https://www.youtube.com/watch?v=-wtIMTCHWuI&t=3,,,0,4,\n",
    )
    source = open_source(path)
    assert isinstance(source, UrlSource)
    first, second, third = source.videos()
    assert [(v.uid, v.remote, v.start_s) for v in (first, second)] == [
        ("-wtIMTCHWuI", "youtube:-wtIMTCHWuI", 0.0),
        ("-wtIMTCHWuI", "youtube:-wtIMTCHWuI", 5.0),
    ]
    assert (third.uid, third.remote) == ("example.org/b.mp4", "https://example.org/b.mp4")
    assert (third.action, third.objects, third.licence) == ("Stack two cups.", ("cup", "cup"), "CC0-1.0")
    assert [v.problem for v in (first, second, third)] == ["", "", ""]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("file:///etc/passwd,", "expected https"),
        ("https://me:secret@example.org/a.mp4,", "passwords do not belong"),
        ("https://example.org/a.mp4,a.mp4", "names a file"),
    ],
)
def test_an_address_that_may_not_be_asked_for_is_a_problem_of_its_row(tmp_path: Path, row: str, problem: str):
    (video,) = open_source(table(tmp_path, f"url,file\n{row}\n")).videos()
    assert problem in video.problem
    assert video.remote == ""
    assert "secret" not in video.problem


def test_a_span_that_is_named_twice_is_used_once(tmp_path: Path):
    first, second = open_source(table(tmp_path, "url\nhttps://youtu.be/-wtIMTCHWuI\nyoutube:-wtIMTCHWuI\n")).videos()
    assert (first.problem, second.problem) == ("", "row 2 of the table repeats the span of row 1")


def test_a_row_without_an_address_is_an_error(tmp_path: Path):
    with pytest.raises(SourceError, match=r"row 1: column `file` is missing or empty; .* or a `url`"):
        list(open_source(table(tmp_path, "url,action\n,Push.\n")).videos())


def test_a_folder_s_table_may_name_videos_that_are_not_in_it(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    table(
        tmp_path,
        "file,url\na.mp4,https://example.org/page\n,https://example.org/b.mp4\nc.mp4,https://example.org/c.mp4\n",
        "videos.csv",
    )
    a, c, b = open_source(tmp_path).videos()
    assert (a.uid, a.remote, a.problem) == ("a.mp4", "", "")
    assert (b.uid, b.remote, b.problem) == ("example.org/b.mp4", "https://example.org/b.mp4", "")
    assert (c.uid, c.remote) == ("c.mp4", "")
    assert "not there" in c.problem

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hoiset.builder.sources import open_source
from hoiset.errors import SourceError


def listed(folder: Path) -> dict[str, str]:
    """Uid -> problem."""
    return {v.uid: v.problem for v in open_source(folder).videos()}


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_lists_videos_of_every_kind_recursively_in_order(tmp_path: Path) -> None:
    for name in ["b.mp4", "a/z.MOV", "c.mkv", "d.webm", "e.gif", "a/b/f.avi", "notes.txt", ".hidden.mp4", ".git/g.mp4"]:
        touch(tmp_path / name)
    videos = list(open_source(tmp_path).videos())
    assert [v.uid for v in videos] == ["a/b/f.avi", "a/z.MOV", "b.mp4", "c.mkv", "d.webm", "e.gif"]
    assert all(v.path.is_file() and not v.problem for v in videos)


def test_rows_describe_files_and_several_rows_are_several_spans(tmp_path: Path) -> None:
    touch(tmp_path / "sub" / "a.mp4")
    touch(tmp_path / "b.mp4")
    (tmp_path / "videos.csv").write_text(
        "file,action,objects,start_s,end_s\n"
        "sub/a.mp4,Push it,box;lid,5,9\n./sub/../sub/a.mp4,Lift it,,1,3\nsub/a.mp4,Push again,,5,9\n"
    )
    a1, a2, again, b = sorted(open_source(tmp_path).videos(), key=lambda v: (v.uid == "b.mp4", v.start_s, v.problem))
    assert (a1.uid, a1.action, a1.start_s) == ("sub/a.mp4", "Lift it", 1)
    assert (a2.uid, a2.action, a2.objects, a2.end_s) == ("sub/a.mp4", "Push it", ("box", "lid"), 9)
    assert "row 3 of the table repeats the span of row 1" in again.problem
    assert (b.uid, b.action, b.problem) == ("b.mp4", "", "")


def test_rows_without_a_file_stay_visible(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "a.mp4")
    touch(tmp_path / "in" / "notes.txt")
    touch(tmp_path / "outside.mp4")
    (tmp_path / "in" / "videos.csv").write_text("file\ntypo.mp4\n../outside.mp4\n/etc/passwd\nnotes.txt\n")
    problems = listed(tmp_path / "in")
    assert problems["a.mp4"] == ""
    assert "check the spelling" in problems["typo.mp4"]
    assert "outside the directory" in problems["../outside.mp4"]
    assert "outside the directory" in problems["/etc/passwd"]
    assert "not one of" in problems["notes.txt"]


def test_links_out_of_the_tree_are_refused(tmp_path: Path) -> None:
    outside = touch(tmp_path / "outside.mp4")
    root = tmp_path / "in"
    touch(root / "real.mp4")
    touch(root / "data.bin")
    (root / "out.mp4").symlink_to(outside)
    (root / "twin.mp4").symlink_to("real.mp4")
    (root / "in.mp4").symlink_to("data.bin")
    (root / "dead.mp4").symlink_to("nowhere")
    (root / "up").symlink_to(tmp_path, target_is_directory=True)
    problems = listed(root)
    assert "leaves the directory" in problems["out.mp4"]
    assert "real.mp4, which is used itself" in problems["twin.mp4"]
    assert "link to nothing" in problems["dead.mp4"]
    assert "not followed" in problems["up"]
    assert problems["in.mp4"] == problems["real.mp4"] == ""
    assert len(problems) == 6


def test_a_linked_table_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "a.mp4")
    (tmp_path / "t.csv").write_text("file\na.mp4\n")
    (tmp_path / "in" / "videos.csv").symlink_to(tmp_path / "t.csv")
    with pytest.raises(SourceError, match="leaves the directory"):
        open_source(tmp_path / "in").videos()


def test_directories_and_pipes_named_like_videos_become_rows(tmp_path: Path) -> None:
    touch(tmp_path / "dir.mp4" / "inner.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    problems = listed(tmp_path)
    assert problems["dir.mp4"] == "a directory, not a file"
    assert problems["pipe.mp4"] == "not a regular file"
    assert problems["dir.mp4/inner.mp4"] == ""


def test_hostile_names_become_printable_uids(tmp_path: Path) -> None:
    names = [b"new\nline.mp4", b"esc\x1b[31m.mp4", b"bad\xff.mp4", "日本.mp4".encode(), b"a b;$(rm).mp4", b"-rf.mp4"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    videos = list(open_source(tmp_path).videos())
    assert len(videos) == len(names)
    for video in videos:
        assert video.uid.isprintable()
        video.uid.encode("utf-8")
        assert video.path.is_file()
    assert "日本.mp4" in {v.uid for v in videos}


def test_names_match_in_either_unicode_form(tmp_path: Path) -> None:
    touch(tmp_path / "cafe\u0301.mp4")
    (tmp_path / "videos.csv").write_text("file,action\ncaf\u00e9.mp4,Pour\n", encoding="utf-8")
    (video,) = open_source(tmp_path).videos()
    assert (video.action, video.problem) == ("Pour", "")


def test_a_single_file_is_a_source(tmp_path: Path) -> None:
    (video,) = open_source(touch(tmp_path / "one.mp4")).videos()
    assert (video.uid, video.problem) == ("one.mp4", "")
    with pytest.raises(SourceError, match="not a video"):
        open_source(touch(tmp_path / "one.txt")).videos()


def test_nothing_to_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no video files"):
        open_source(tmp_path).videos()
    with pytest.raises(SourceError, match="no such directory"):
        open_source(tmp_path / "nowhere")


def test_the_real_clips(shared_data: Path) -> None:
    videos = list(open_source(shared_data / "videos").videos())
    assert len(videos) == 20
    assert all(v.action and not v.problem for v in videos)

"""A directory of video files, with an optional table of words and spans beside them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from hoiset.builder.records import SourceVideo
from hoiset.builder.sources.annotations import Spans, read_annotations
from hoiset.builder.sources.urls import remote_video
from hoiset.errors import SourceError

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".gif", ".avi")


class FolderSource:
    """Videos of a directory, found recursively, or one single file.

    ``videos.csv``, ``videos.jsonl`` or ``videos.parquet`` in the directory may describe them: one row a span, column
    ``file`` (path in the directory) and any of those in :mod:`hoiset.builder.sources.annotations`. A file without a row
    is taken whole and without words; a row without a file is fetched from its ``url``. Names that begin with a dot are
    left alone.

    Links are followed only to files inside the directory; whatever is refused, missing or contradictory becomes a
    :class:`SourceVideo` with a ``problem``.
    """

    name = "folder"

    def __init__(self, spec: str | Path) -> None:
        self._root = Path(spec)
        if not self._root.exists():
            raise SourceError(f"no such directory or file: {self._root}; expected a directory of videos")

    def videos(self) -> Iterator[SourceVideo]:
        """See :meth:`hoiset.builder.sources.base.Source.videos`."""
        if not self._root.is_dir():
            if self._root.suffix.lower() not in VIDEO_SUFFIXES:
                raise SourceError(f"{self._root} is not a video; expected a directory or one of {_suffixes()}")
            return iter([SourceVideo(printable_uid(self._root.name), self._root.resolve())])
        root = self._root.resolve()
        found = {uid: (path, problem) for uid, path, problem in _find(root)}
        annotations = read_annotations(root)
        if not found and not annotations:
            raise SourceError(f"no video files in {root}; expected {_suffixes()}")
        videos = []
        described = set()
        seen: Spans = {}
        by_form = {unicodedata.normalize("NFC", uid): uid for uid in found}
        for row in annotations:
            if not row.file:
                videos.append(remote_video(row, taken=found.keys(), seen=seen))
                continue
            uid = by_form.get(_normal(row.file), _normal(row.file))
            described.add(uid)
            path, problem = found.get(uid, (root / "missing", _why_missing(root, row.file)))
            repeats = row.repeats(uid, seen)
            videos.append(row.video(uid, path, problem or row.problem or repeats))
        videos += [
            SourceVideo(uid, path, problem=problem) for uid, (path, problem) in found.items() if uid not in described
        ]
        return iter(sorted(videos, key=lambda v: (v.uid, v.start_s or 0.0, v.end_s or float("inf"))))


def printable_uid(name: str) -> str:
    """A name as text that any file format and terminal takes: undecodable and control characters are escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)


def _find(root: Path) -> Iterator[tuple[str, Path, str]]:
    """Every entry that is, or claims to be, a video: uid, path, and what is wrong with it."""
    unreadable: list[OSError] = []
    for folder, directories, files in os.walk(root, onerror=unreadable.append):
        here = Path(folder)
        directories[:] = sorted(d for d in directories if not d.startswith("."))
        for name in directories:
            path = here / name
            if path.is_symlink():
                yield _uid(root, path), path, "a symbolic link to a directory; links to directories are not followed"
            elif path.suffix.lower() in VIDEO_SUFFIXES:
                yield _uid(root, path), path, "a directory, not a file"
        for name in sorted(files):
            path = here / name
            if path.suffix.lower() in VIDEO_SUFFIXES and not name.startswith("."):
                yield _uid(root, path), path, _problem(root, path)
    for error in unreadable:
        path = Path(error.filename)
        yield _uid(root, path), path, f"a directory that cannot be read ({error.strerror})"


def _problem(root: Path, path: Path) -> str:
    """Why a file in the tree cannot be used, or ``""``."""
    if path.is_symlink():
        target = path.resolve()
        if not target.is_relative_to(root):
            return "a symbolic link that leaves the directory; copy the file in to use it"
        if not target.exists():
            return "a symbolic link to nothing"
        if target.suffix.lower() in VIDEO_SUFFIXES:  # listed itself: twice the same video could end in two partitions
            return f"a symbolic link to {_uid(root, target)}, which is used itself"
    if not path.is_file():
        return "not a regular file"
    if not os.access(path, os.R_OK):
        return "a file that may not be read; check its permissions"
    return ""


def _why_missing(root: Path, file: str) -> str:
    target = Path(os.path.normpath(root / file))
    if not target.is_relative_to(root):
        return "the table names a file outside the directory"
    if target.is_file() and target.suffix.lower() not in VIDEO_SUFFIXES:
        return f"the table names a file that is not one of {_suffixes()}"
    return "the table names a file that is not there; check the spelling"


def _uid(root: Path, path: Path) -> str:
    return printable_uid(path.relative_to(root).as_posix())


def _normal(file: str) -> str:
    return unicodedata.normalize("NFC", printable_uid(os.path.normpath(file).replace(os.sep, "/")))


def _suffixes() -> str:
    return ", ".join(VIDEO_SUFFIXES)

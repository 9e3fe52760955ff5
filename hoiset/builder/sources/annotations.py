"""The table beside the videos of a folder: one row a span of a file, as csv, JSON lines or parquet."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoiset.builder.records import SourceVideo
from hoiset.errors import SourceError

TABLE_NAMES = ("videos.csv", "videos.jsonl", "videos.parquet")

Spans = dict[tuple[str, float | None, float | None], int]
"""(uid, start, end) -> the row that was the first to name it."""


@dataclass(frozen=True)
class Annotation:
    """One row.

    Attributes:
        number: Of the row in the table, the first below the header is 1.
        file: Path in the directory; ``""`` where the video must be fetched from ``url``.
        action: Action sentence; from column ``action``, else ``action_brief``.
        objects: Object nouns; a list, or a text with semicolons between them.
        summary: A longer description.
        licence: Licence of the footage; ``license`` is read as well.
        url: Where it came from, or, for a row without a file, where it is to be fetched from.
        start_s: Start of the span, s.
        end_s: End of the span, s.
        focal_px: Focal length in pixels of the displayed width.
        problem: What is wrong with the row, or ``""``.
    """

    number: int
    file: str
    action: str = ""
    objects: tuple[str, ...] = ()
    summary: str = ""
    licence: str = ""
    url: str = ""
    start_s: float | None = None
    end_s: float | None = None
    focal_px: float | None = None
    problem: str = ""

    def video(self, uid: str, path: Path, problem: str, remote: str = "") -> SourceVideo:
        """The video that the row describes."""
        return SourceVideo(
            uid=uid,
            path=path,
            url=self.url,
            licence=self.licence,
            action=self.action,
            objects=self.objects,
            summary=self.summary,
            start_s=self.start_s,
            end_s=self.end_s,
            focal_px=self.focal_px,
            problem=problem,
            remote=remote,
        )

    def repeats(self, uid: str, seen: Spans) -> str:
        """What is wrong with a span that an earlier row had, or ``""``; the row's own is added to ``seen``."""
        first = seen.setdefault((uid, self.start_s, self.end_s), self.number)
        return f"row {self.number} of the table repeats the span of row {first}" if first != self.number else ""


def read_annotations(folder: Path) -> list[Annotation]:
    """The rows of the folder's table, or nothing when it has none.

    Raises:
        SourceError: More than one table, a table that cannot be read, or one without a ``file`` in every row.
    """
    tables = [folder / name for name in TABLE_NAMES if (folder / name).is_file()]
    if not tables:
        return []
    if len(tables) > 1:
        raise SourceError(
            f"found {' and '.join(t.name for t in tables)} in {folder}; expected one table: remove the others"
        )
    table = tables[0]
    if table.is_symlink() and not table.resolve().is_relative_to(folder):
        raise SourceError(f"{table} is a symbolic link that leaves the directory; copy the table in")
    return read_table(table)


def read_table(table: Path) -> list[Annotation]:
    """The rows of a table.

    Raises:
        SourceError: It cannot be read, or has a row with neither ``file`` nor ``url``.
    """
    try:
        return [_annotation(number, row, table) for number, row in enumerate(_rows(table), start=1)]
    except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise SourceError(
            f"{table} cannot be read: {error}; expected UTF-8 text with a header or one object a line"
        ) from error


def _rows(table: Path) -> Iterable[Mapping[str, Any]]:
    if table.suffix == ".csv":
        with table.open(encoding="utf-8-sig", newline="") as lines:
            return list(csv.DictReader(lines))
    if table.suffix == ".jsonl":
        with table.open(encoding="utf-8-sig") as lines:
            return [json.loads(line) for line in lines if line.strip()]
    return _parquet_rows(table)


def _parquet_rows(table: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(table).to_pylist()
    except pa.ArrowException as error:
        raise SourceError(f"{table} cannot be read as parquet: {error}") from error


def _annotation(number: int, row: Any, table: Path) -> Annotation:
    if not isinstance(row, Mapping):
        raise SourceError(f"{table}, row {number}: found {type(row).__name__}, expected an object with a `file`")
    file, url = _text(row, "file"), _text(row, "url")
    if not file and not url:
        raise SourceError(
            f"{table}, row {number}: column `file` is missing or empty; expected a path in the directory, "
            "or a `url` to fetch the video from"
        )
    problems: list[str] = []
    start_s = _number(row, "start_s", problems)
    end_s = _number(row, "end_s", problems)
    focal_px = _number(row, "focal_px", problems)
    if start_s is not None and end_s is not None and end_s <= start_s:
        problems.append(f"end_s {end_s:g} is not after start_s {start_s:g}")
    if focal_px == 0:
        problems.append("focal_px is 0; expected a focal length or nothing")
    return Annotation(
        number=number,
        file=file,
        action=_text(row, "action") or _text(row, "action_brief"),
        objects=_nouns(row.get("objects")),
        summary=_text(row, "summary"),
        licence=_text(row, "licence") or _text(row, "license"),
        url=url,
        start_s=start_s,
        end_s=end_s,
        focal_px=focal_px,
        problem=f"row {number} of {table.name}: {'; '.join(problems)}" if problems else "",
    )


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    return value.strip() if isinstance(value, str) else ""


def _nouns(value: Any) -> tuple[str, ...]:
    """Nouns of a list or of a text with semicolons; a noun named twice stands for two things and is kept twice."""
    parts = value.split(";") if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(str(part).strip() for part in parts if isinstance(part, str) and part.strip())


def _number(row: Mapping[str, Any], column: str, problems: list[str]) -> float | None:
    """A number that is not negative, ``None`` where there is none; what cannot be read is added to ``problems``."""
    value = row.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or number < 0:
        problems.append(f"{column} is {value!r}, expected a number that is not negative")
        return None
    return number

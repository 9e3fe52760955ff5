"""``hoiset filter``: clips by what happens in them, to look at or to take away; and how ``hoiset info`` counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hoiset import console
from hoiset.cli_options import AsJson, Version, version_of
from hoiset.errors import DatasetError, FilterError

PREVIEW_ROWS = 20
_SHOWN = ("key", "partition", "verb", "nouns", "labels", "grasps", "duration_s", "quality")

Source = Annotated[Path, typer.Argument(metavar="PATH", help="Dataset directory, or an index.", show_default=False)]
Expression = Annotated[
    str, typer.Argument(metavar="QUERY", help="Such as 'verb = \"pour\" and quality.score > 0.8'.", show_default=False)
]
Rows = Annotated[
    int | None, typer.Option("--limit", min=1, help=f"So many rows at most; {PREVIEW_ROWS} of the table by default.")
]
By = Annotated[
    list[str] | None, typer.Option("--by", help="Count by verb, object, grasp, state, licence, ...; may be repeated.")
]
Asked = Annotated[str, typer.Option("--where", help="Count only clips that match this query.")]


def filter_(
    root: Source,
    query: Expression = "",
    version: Version = None,
    verb: Annotated[list[str] | None, typer.Option(help="Verb or a synonym; again for any of several.")] = None,
    object: Annotated[list[str] | None, typer.Option(help="Noun of the text or of an object's label.")] = None,
    grasp: Annotated[list[str] | None, typer.Option(help="left, right, both, any or none.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Object state that occurs: static, moving, ...")] = None,
    action: Annotated[str | None, typer.Option(help="Text that the action sentence contains.")] = None,
    partition: Annotated[list[str] | None, typer.Option(help="train, validation or test.")] = None,
    uid: Annotated[str | None, typer.Option(help="Source video.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the footage.")] = None,
    min_quality: Annotated[float | None, typer.Option(help="Least quality score, 0 to 1.")] = None,
    min_hand_valid: Annotated[float | None, typer.Option(help="Least share of frames with a hand.")] = None,
    min_duration_s: Annotated[float | None, typer.Option(help="Shortest, in seconds.")] = None,
    max_duration_s: Annotated[float | None, typer.Option(help="Longest, in seconds.")] = None,
    min_objects: Annotated[int | None, typer.Option(help="Least number of objects.")] = None,
    min_manipulated: Annotated[int | None, typer.Option(help="Least number of manipulated objects.")] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Write keys (.txt), an index (.parquet), or else a dataset of the matching clips."),
    ] = None,
    keys: Annotated[bool, typer.Option("--keys", help="Print the keys, one a line.")] = False,
    limit: Rows = None,
    json: AsJson = False,
) -> None:
    """Clips by what happens in them; the query and all options must match."""
    options = dict(locals())
    from hoiset.filter import ClipIndex, filter_names, parse

    if keys and (json or to is not None):
        raise typer.BadParameter("is given beside --json or --to; choose one", param_hint="--keys")
    if limit is not None and to is not None:
        raise typer.BadParameter("is for what is printed; --to writes every match", param_hint="--limit")
    given = {name: options[name] for name in filter_names() if options.get(name) not in (None, [])}
    with wrong_calls():
        asked = parse(query if query.strip() else None, **given)
    name = "" if root.is_file() else version_of(root, version)
    if to is not None:
        _write(root, name, asked, to, json=json)
        return
    index = ClipIndex.open(root, name)
    if keys:
        for row in _rows(index, asked, ["key"], limit):
            print(row["key"])
    elif json:
        console.print_json_rows(_rows(index, asked, [c for c in index.columns if c != "members"], limit))
    else:
        _preview(index, asked, limit or PREVIEW_ROWS)


@contextmanager
def wrong_calls() -> Iterator[None]:
    """A query that cannot be read is a wrong call: exit code 2, with the place."""
    try:
        yield
    except FilterError as error:
        console.print_error(str(error))
        raise typer.Exit(2) from None


def _rows(index: Any, query: Any, columns: list[str], limit: int | None) -> Iterator[dict[str, Any]]:
    left = limit
    for found in index.find(query, columns):
        table = found.table if left is None else found.table.slice(0, left)
        yield from table.to_pylist()
        if left is not None:
            left -= table.num_rows
            if not left:
                return


def _preview(index: Any, query: Any, limit: int) -> None:
    """The first rows, and how many there are."""
    from hoiset.filter.buffers import numbers

    shown: list[dict[str, Any]] = []
    clips, seconds = 0, 0.0
    for found in index.find(query, ["duration_s"]):
        clips += len(found.rows)
        seconds += sum(float(numbers(chunk).sum()) for chunk in found.table["duration_s"].drop_null().chunks)
        if len(shown) < limit:
            shown += index.read(found.group, found.rows[: limit - len(shown)], _SHOWN).to_pylist()
    console.print_table(_SHOWN, ([row[name] for name in _SHOWN] for row in shown))
    if clips > len(shown):
        console.print_line(f"... and {clips - len(shown)} more; --limit shows more of them, --keys all")
    console.print_line(f"{clips} clips, {duration(seconds)}, of {index.n_rows} clips")


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    return f"{seconds / 3600:.2f} h" if seconds >= 360 else f"{seconds:.1f} s"


def _write(root: Path, version: str, query: Any, out: Path, *, json: bool) -> None:
    from hoiset.filter import ClipIndex
    from hoiset.filter.subset import write_dataset, write_keys, write_selected_index

    writers: dict[str, Callable[..., int]] = {".txt": write_keys, ".parquet": write_selected_index}
    if out.suffix in writers:
        if root.is_dir() and root.resolve() in out.resolve().parents:
            raise DatasetError(f"found {out}, expected a file outside the dataset {root}")
        clips = writers[out.suffix](ClipIndex.open(root, version), query, out)
    elif root.is_file():
        raise typer.BadParameter("needs a dataset directory to copy from; an index has no clips", param_hint="--to")
    else:
        clips = write_dataset(root, version, query, out)
    if json:
        console.print_json({"to": str(out), "query": query.text, "clips": clips})
    else:
        console.print_line(f"{clips} clips -> {out}")


def print_facets(root: Path, version: str, by: list[str], where: str, limit: int | None, *, json: bool) -> None:
    """Clips, shares and hours of every value of some fields."""
    from hoiset.filter import ClipIndex, parse
    from hoiset.filter.facets import count_by

    index = ClipIndex.open(root, version)
    with wrong_calls():
        query = parse(where if where.strip() else None)
        counted = {name: count_by(index, name, query) for name in by}
    if json:
        listed = {name: [asdict(facet) for facet in facets[:limit]] for name, facets in counted.items()}
        console.print_json({"version": version, "where": query.text, "by": listed})
        return
    for name, facets in counted.items():
        most = limit or PREVIEW_ROWS
        rows = ((f.value, f.clips, f"{100 * f.share:.1f} %", f"{f.hours:.3f}") for f in facets[:most])
        console.print_table((name, "clips", "share", "hours"), rows)
        if len(facets) > most:
            console.print_line(f"... and {len(facets) - most} more; --limit shows more of them")

"""The tables that a build writes beside its shards: what pass 1 judged, and what became of every clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa

from hoiset.builder.passes import Judgement
from hoiset.shards.tables import write_rows

STATUS_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("key", "uid", "partition")]
    + [(name, pa.float64()) for name in ("start_s", "end_s")]
    + [(name, pa.string()) for name in ("status", "detail")]
)


def write_candidates(path: Path, judged: Iterable[Judgement], measures: Sequence[str]) -> None:
    """Write one row a span, ordered by uid and start, with one column for every value that a gate looked at.

    Args:
        path: The Parquet file.
        judged: Ordered by uid; consumed lazily, the judgements of one uid at a time.
        measures: Every name in the candidates' ``measured``, sorted.

    Raises:
        DatasetError: The disk refuses.
    """
    schema = pa.schema(
        [("uid", pa.string()), ("segment", pa.int32()), ("start_s", pa.float64()), ("end_s", pa.float64())]
        + [("gate", pa.string()), ("detail", pa.string())]
        + [(name, pa.float64()) for name in measures]
    )
    write_rows(path, _rows(judged), schema)


def _rows(judged: Iterable[Judgement]) -> Iterator[dict[str, Any]]:
    for _, of_uid in groupby(judged, attrgetter("uid")):
        for c in sorted((c for j in of_uid for c in j.candidates), key=attrgetter("start_s", "segment")):
            yield {**{k: v for k, v in vars(c).items() if k != "measured"}, **c.measured}

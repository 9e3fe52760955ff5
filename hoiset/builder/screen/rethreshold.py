"""Decide again from what was measured, without touching a video.

Exact for every threshold that only a comparison of :data:`~hoiset.builder.screen.gates.CHECKS` reads. The others decide
what is sampled, where spans begin and end, or what counts as a hand, and need the videos again. So does a span that was
not looked at for hands, since an earlier gate stopped it, when that gate would now let it pass: it keeps its gate.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hoiset.builder.screen.draw import PASSED
from hoiset.builder.screen.gates import CHECKS, GATES, MEASURED, first_failed
from hoiset.builder.screen.params import ScreenParams
from hoiset.errors import DatasetError, RecipeError
from hoiset.shards.atomic import atomic_file

_CUT_BY = {"min_clip_s", "max_camera_shift"}  # compared as well, but spans are cut by them
REDECIDABLE = tuple(dict.fromkeys(check.param for check in CHECKS if check.param not in _CUT_BY))
"""Thresholds that can be changed without screening again."""

_REDECIDED = {check.gate for check in CHECKS if check.param not in _CUT_BY} | {PASSED}
_AFTER_HANDS = {*GATES[GATES.index("no_hands") + 1 :], PASSED}
_BATCH = 65_536


@dataclass(frozen=True)
class Redecided:
    """What became of the spans.

    Attributes:
        before: Gate -> spans.
        after: Gate -> spans.
        changed: Spans with another gate than before.
        unknown: Spans that would get further than they were measured; they keep their gate until they are screened.
    """

    before: dict[str, int]
    after: dict[str, int]
    changed: int
    unknown: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return dict(vars(self))


def rethreshold(source: Path, target: Path, old: ScreenParams, new: ScreenParams) -> Redecided:
    """Write a table of candidates with the gates that other thresholds give.

    Args:
        source: The table of a pass 1.
        target: The table to write.
        old: What decided then.
        new: What is to decide now.

    Raises:
        RecipeError: A parameter differs that cannot be changed in hindsight; the message names it.
        DatasetError: There is no such table, or it is not one of this version.
    """
    differing = [n for n in ScreenParams.model_fields if getattr(old, n) != getattr(new, n)]
    fixed = [n for n in differing if n not in REDECIDABLE]
    if fixed:
        raise RecipeError(
            f"found other values of {', '.join(fixed)}, which decide what is measured and where spans are cut; "
            f"expected only changes of {', '.join(REDECIDABLE)}; screen again without --rethreshold"
        )
    before, after, changed, unknown = Counter[str](), Counter[str](), 0, 0
    try:
        with pq.ParquetFile(source) as table, atomic_file(target) as file:
            missing = set(MEASURED) - set(table.schema_arrow.names)
            if missing:
                raise DatasetError(
                    f"{source} lacks {', '.join(sorted(missing))}; an older version wrote it: screen again"
                )
            with pq.ParquetWriter(file, table.schema_arrow) as writer:
                for batch in table.iter_batches(batch_size=_BATCH):
                    rows = batch.to_pylist()
                    for row in rows:
                        gate, detail, known = _decide(row, new)
                        before[row["gate"]] += 1
                        after[gate] += 1
                        changed, unknown = changed + (gate != row["gate"]), unknown + (not known)
                        row["gate"], row["detail"] = gate, detail
                    writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=table.schema_arrow))
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{source} is not a table of pass 1 ({error}); run hoiset screen") from error
    return Redecided(dict(sorted(before.items())), dict(sorted(after.items())), changed, unknown)


def _decide(row: dict[str, Any], params: ScreenParams) -> tuple[str, str, bool]:
    """Gate and detail of a row, and whether they are what a new screening would give."""
    if row["gate"] not in _REDECIDED:
        return row["gate"], row["detail"], True
    measured = {name: np.nan if row[name] is None else row[name] for name in MEASURED}
    gate, detail = first_failed(measured, params)
    if gate in _AFTER_HANDS and gate != row["gate"] and np.isnan(measured["hand_size"]):
        return row["gate"], row["detail"], False
    return gate, detail, True

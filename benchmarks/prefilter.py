"""How well and how fast segments are chosen from captions: ``python benchmarks/prefilter.py [--quick]``.

Precision and recall of the prefilter on hand-labelled captions (``tests/builder/sources/action100m/labels.csv``) of the
ten published example rows, on the half by which its words were chosen and on the half held out; what every rule leaves
of the rows; and the time a video takes. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

from hoiset.builder.recipe import load_recipe
from hoiset.builder.sources.action100m.params import Action100MParams
from hoiset.builder.sources.action100m.prefilter import Prefilter
from hoiset.builder.sources.action100m.reading import find_tables, read_rows
from hoiset.builder.sources.action100m.source import Action100MSource
from hoiset.builder.sources.action100m.tree import Node, parse_nodes
from hoiset.builder.survey import survey

LABELS = Path("tests/builder/sources/action100m/labels.csv")


def measure(nodes: dict[str, Node], rows: list[dict[str, str]]) -> dict[str, float]:
    prefilter = Prefilter(Action100MParams().prefilter)
    passed = {row["node_id"] for row in rows if prefilter.passes(nodes[row["node_id"]].caption)}
    true = {row["node_id"] for row in rows if row["manipulation"] == "yes"}
    return {
        "segments": len(rows),
        "positive": len(true),
        "precision": len(true & passed) / len(passed),
        "recall": len(true & passed) / len(true),
        "negatives_rejected": 1 - len(passed - true) / (len(rows) - len(true)),
    }


def seconds_per_video(source: Path, rounds: int) -> float:
    """Least of some rounds, after one that fills the caches of words."""
    times = []
    for _ in range(rounds + 1):
        start = time.process_time()
        n = sum(1 for _ in Action100MSource(source).choices())
        times.append((time.process_time() - start) / n)
    return min(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of timing")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/action100m"))
    options = parser.parse_args()
    source = options.data / "examples.parquet"
    nodes = {
        n.node_id: n for table in find_tables(source) for row in read_rows(table) for n in parse_nodes(row.nodes)[0]
    }
    with LABELS.open(encoding="utf-8") as file:
        labels = list(csv.DictReader(file))
    result: dict[str, object] = {}
    for half in ("development", "held_out"):
        result[half] = measure(nodes, [row for row in labels if row["half"] == half])
        print(half, {name: round(value, 3) for name, value in result[half].items()})
    recipe = load_recipe("action100m")
    for share in (0.25, 0.5, 0.75, 1.0):
        rules = recipe.source.action100m.model_copy(update={"covered_share": share})
        found = survey(
            recipe.model_copy(update={"source": recipe.source.model_copy(update={"action100m": rules})}), source
        )
        print(f"covered_share {share}: {found.segments} segments, {found.segment_hours:.3f} h")
        if share == rules.covered_share == recipe.source.action100m.covered_share:
            result["left"] = {step.rule: step.left for step in found.rules}
    result["cpu_s_per_video"] = seconds_per_video(source, 1 if options.quick else 5)
    result["core_hours_of_1.2M_videos"] = result["cpu_s_per_video"] * 1.2e6 / 3600
    print(json.dumps(result))


if __name__ == "__main__":
    main()

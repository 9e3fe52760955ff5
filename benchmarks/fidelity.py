"""Measures how true is what is built, on rendered videos and real ground truth; writes ``benchmarks/fidelity.md``.

``python benchmarks/fidelity.py [--quick] [--work DIR] [--data ../shared/data]`` renders the pinned studio set (50
videos from seed 0, on which nothing is tuned), builds it from pixels alone and with ground truth fed to one stage after
the other, and measures every build with ``hoiset eval``; real hands and real boxes follow. ``--quick`` is the set's
first six videos from pixels alone. ``--check FILE`` compares with the figures in FILE and fails where one has worsened
by more than its interval and 5 %; ``--bounds FILE`` writes them. What is rendered and built in ``--work`` is not made
again. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fidelity_page import write_page
from fidelity_real import real_figures

from hoiset import console
from hoiset.builder.oracle import OracleParams
from hoiset.builder.recipe import load_recipe
from hoiset.builder.run import build
from hoiset.builder.studio.corpus import make_corpus
from hoiset.errors import DatasetError
from hoiset.eval import compare, evaluate
from hoiset.eval.report import write_report

SEED, CLIPS, QUICK_CLIPS, ABLATION_CLIPS = 0, 50, 6, 12
LEAST_ROOM = 0.05
"""Of a figure, and of 1 for shares, on either side of it in the bounds."""
WHOLE = ("pixels", "camera")
"""Builds of all videos; the others are of the first :data:`ABLATION_CLIPS`, and these once more, to compare with."""
FEEDS: dict[str, tuple[str, ...]] = {
    "pixels": (),
    "camera": ("camera",),
    "camera, landmarks": ("camera", "landmarks"),
    "camera, hands": ("camera", "hands"),
    "camera, hands, masks, depth": ("camera", "hands", "masks", "depth"),
}
"""Builds: what is fed from ground truth; the rest is estimated."""


def measure(work: Path, name: str) -> dict[str, Any]:
    """Build the set with one kind of feed and evaluate it; returns ``eval.json``'s contents."""
    feed, slug = FEEDS[name], "-".join(FEEDS[name]) or "pixels"
    recipe = load_recipe("v2")
    if feed:
        recipe = recipe.model_copy(update={"oracle": OracleParams(feed=feed, truth=str(work / "truth"))})
    with console.build_progress() as progress:
        build(recipe, work / "videos", work / "builds" / slug, progress=progress, cache=work.parent / "cache")
    evaluation = evaluate(work / "builds" / slug, work)
    write_report(evaluation, work / "eval" / slug)
    return evaluation.to_json()


def ablate(whole: Path) -> dict[str, dict[str, Any]]:
    """Every build of the set's first videos, which are linked from the whole set, not rendered again."""
    part = whole.with_name("part")
    if not part.exists():
        shutil.copytree(whole, part, copy_function=os.link, ignore=_later)
    with console.build_progress() as progress:
        make_corpus(part, seed=SEED, n_clips=ABLATION_CLIPS, progress=progress)
    return {name: measure(part, name) for name in FEEDS}


def _later(_: str, names: list[str]) -> list[str]:
    """What is not of the first videos: builds, tables, and files whose names end in another seed."""
    seeds = {name: re.search(r"(\d{5,6})\.(mp4|tar|json)$", name) for name in names}
    later = [name for name, found in seeds.items() if found and int(found[1]) >= SEED + ABLATION_CLIPS]
    return [*later, *{"builds", "eval", "index", "manifest", "figures", "README.md", "videos.csv"}.intersection(names)]


def figures(evaluations: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Pooled figures of every build with their intervals, for the last line."""
    return {
        name: {metric: {end: f[end] for end in ("value", "low", "high")} for metric, f in evaluation["pooled"].items()}
        for name, evaluation in evaluations.items()
    }


def widened(figure: Mapping[str, Any]) -> dict[str, Any]:
    """A figure whose interval is at least so wide as machines differ: six clips that agree leave none."""
    value = figure["value"]
    if value is None:
        return dict(figure)
    room = LEAST_ROOM * max(abs(value), 1.0 if abs(value) <= 1.0 else 0.0)
    low, high = (value if figure[end] is None else figure[end] for end in ("low", "high"))
    return {**figure, "low": min(low, value - room), "high": max(high, value + room)}


def last_line(path: Path) -> dict[str, Any]:
    """What an earlier run printed last.

    Raises:
        DatasetError: Not such a file.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
        if isinstance(found["figures"], dict):
            return dict(found)
    except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
        raise DatasetError(f"cannot read {path}: {error!r}; expected what this program printed") from error
    raise DatasetError(f"found no figures in {path}, expected what this program printed")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="six videos, from pixels alone, no page")
    parser.add_argument("--work", type=Path, help="keeps what is rendered and built")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--page", type=Path, default=Path(__file__).with_name("fidelity.md"))
    parser.add_argument("--before", type=Path, help="last line of an earlier run, shown beside")
    parser.add_argument("--check", type=Path, help="figures that may not worsen")
    parser.add_argument("--bounds", type=Path, help="where to write the figures for --check")
    options = parser.parse_args()
    before = last_line(options.before) if options.before else None
    if options.check:
        compare(options.check, options.check)  # a damaged file is found before minutes of rendering
    with tempfile.TemporaryDirectory() as temporary:
        # A directory of its own each: a build takes all videos that it finds.
        work = (options.work or Path(temporary)) / ("quick" if options.quick else "whole")
        with console.build_progress() as progress:
            corpus = make_corpus(work, seed=SEED, n_clips=QUICK_CLIPS if options.quick else CLIPS, progress=progress)
        evaluations = {name: measure(work, name) for name in (["pixels"] if options.quick else WHOLE)}
        ablation = {} if options.quick else ablate(work)
    worsened = [str(w) for w in compare(options.check, evaluations["pixels"])] if options.check else []
    if options.bounds:
        pooled = {name: widened(figure) for name, figure in evaluations["pixels"]["pooled"].items()}
        options.bounds.write_text(json.dumps({"pooled": pooled}, indent=1) + "\n")
    result: dict[str, Any] = {
        "benchmark": "fidelity",
        "quick": options.quick,
        "corpus": {**corpus.to_json(), "root": ""},
        "figures": figures(evaluations),
        "worsened": worsened,
    }
    if not options.quick:
        result["real"] = real_figures(options.data)
        result["ablation"] = figures(ablation)
        write_page(options.page, evaluations, result, before, ablation)
    for line in worsened:
        print(line)
    print(json.dumps(result))
    return 1 if worsened else 0


if __name__ == "__main__":
    sys.exit(main())

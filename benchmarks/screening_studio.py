"""Precision and recall of pass 1, gate by gate, on rendered videos of which what it should do is known.

The videos are those of ``hoiset studio``: hands at work, moving cameras, cuts, scenes without hands, things that move
by themselves, robots' grippers. They are rendered first where FOLDER does not hold them; a folder whose rendering has
not ended yet is measured as far as it has come.

Run ``python benchmarks/screening_studio.py [--quick] [--seed S] [--clips N] FOLDER``; the last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from pathlib import Path

from hoiset.builder.recipe import load_recipe
from hoiset.builder.run import screen
from hoiset.builder.studio.corpus import make_corpus
from hoiset.builder.studio.footage import kind_of
from hoiset.builder.studio.negatives import GATES
from hoiset.eval import definitions as d
from hoiset.eval.screening import Expected, read_expected, read_judged, screening_report

AIM, QUICK_CLIPS = 0.97, 3
NAME = re.compile(r"studio-(\d+)\.mp4")


def expected_so_far(videos: Path) -> dict[str, Expected]:
    """What pass 1 should do with the videos that are there, from their seeds; without spans."""
    out = {}
    for path in sorted(videos.glob("*.mp4")):
        found = NAME.fullmatch(path.name)
        if found:
            kind = kind_of(int(found[1]))
            out[path.name] = Expected(path.name, kind, GATES.get(kind) or d.PASSES, ())
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true", help="three videos")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--failures", action="store_true", help="name the videos that are decided wrongly")
    options = parser.parse_args()
    truth = options.folder / "screening.csv"
    if not (options.folder / "videos").is_dir():
        clips = QUICK_CLIPS if options.quick else options.clips
        make_corpus(options.folder, seed=options.seed, n_clips=clips, workers=options.workers)
    expected = read_expected(truth) if truth.is_file() else expected_so_far(options.folder / "videos")
    if options.quick:
        expected = dict(sorted(expected.items())[:QUICK_CLIPS])
    with tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch) / "source", Path(scratch) / "out"
        source.mkdir()
        for uid in expected:
            shutil.copyfile(options.folder / "videos" / uid, source / uid)
        screen(load_recipe("v2"), source, out, workers=options.workers)
        judged = read_judged(out) or {}
    report = screening_report(expected, judged)
    for gate, row in report["gates"].items():
        p, r = ("  -  " if row[x] is None else f"{row[x]:.3f}" for x in ("precision", "recall"))
        print(f"{gate:20} precision {p}, recall {r}; {row['expected']} expected, {row['found']} found")
    if options.failures:
        for row in report["wrong"]:
            print(f"{row['uid']}: {row['kind']}, expected {row['expected']}, found {row['found']}")
    passes = report["gates"][d.PASSES]
    result = {
        "benchmark": "screening_studio",
        "quick": options.quick,
        "videos": report["videos"],
        "precision": passes["precision"],
        "recall": passes["recall"],
        "aim": AIM,
        "gates": report["gates"],
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Writes docs/eval.md from the registry of metrics: ``python docs/make_eval.py``."""

from pathlib import Path

from hoiset.eval import metrics


def eval_page() -> str:
    """The page as it must be."""
    overlap, near = metrics.MASK_MATCH_IOU, metrics.CENTRE_MATCH_SHARE
    return f"""# Measuring a build: `hoiset eval BUILD TRUTH`

<!-- made by docs/make_eval.py -->

BUILD is a finished dataset. TRUTH is a directory that `hoiset studio` wrote (`truth/` and `screening.csv`), or any
finished dataset that is taken for true. `--out DIR` writes `eval.json`, `eval_clips.parquet` (one row a true clip) and
pictures; `--json` prints the pooled figures. `--card DATASET` puts the figures on the card of BUILD, or of a dataset of
the same recipe, backends and weights: a dataset without ground truth is measured by a build of rendered videos. In
Python: `hoiset.eval.evaluate(build, truth)`.

**Clips** are matched by `source.uid` and time. The truth is brought to the sample's frame times: codes from the nearest
true frame within half a frame, joints and poses in between. True frames that no sample covers count as missed in
recall, states, contacts and grasps, and are reported as `clip_coverage`; a clip without a sample is missed throughout.

**Hands** are matched frame by frame by their place in the image, whatever side they are said to be: within
{metrics.HAND_MATCH_SHARE:g} of the true hand's extent, mean over joints. So recall and handedness are separate.

**Objects** are matched once a sample, by Hungarian assignment on overlap of outlines and distance of centres; a match
needs an overlap of {overlap:g} or a distance within {near:g} of the diameter. A predicted object without a match is
false; a manipulated one without a match is missed; a bystander may be reconstructed or not. A reconstructed mesh has no
canonical frame: rotation is measured after the one constant turn that fits the clip best, and up to the true shape's
symmetries.

**Figures** weigh every frame by how long it lasts, and are pooled over clips by adding sums up. Intervals are 95 %
percentile intervals from drawing whole clips with replacement; with few clips they are too narrow
(`hoiset/eval/bootstrap.py` says by how much). `n` counts frames, objects or spans.

**Calibration** sets a sample's errors against its own `quality.score`: rank correlation, mean error by third of the
score, and the error of the best-scored share. It is worth filtering on where the correlation's interval lies below 0.

**Where the error comes from:** `--oracle hands,masks` builds BUILD again from its recipe and the videos beside TRUTH,
with ground truth in place of what those stages would have estimated, and measures that build: what is left is the other
stages' own. Any of `camera`, `landmarks`, `palm_depth`, `hands`, `masks`, `depth` can be given; `--noise
joint_m=0.005,depth_share=0.02` adds noise. `landmarks` and `hands` tell pass 1, too, where hands are. It goes to
`BUILD.oracle-hands-masks`, or to `build/` in `--out`. `hoiset build ... --oracle hands --truth DIR` does the same for a
build of its own. [The report](../benchmarks/fidelity.md) has the figures.

`hoiset.eval.compare(before, after)` lists the figures that are now beyond the bad end of the interval that they had.

{metrics.metrics_table()}"""


if __name__ == "__main__":
    Path(__file__).with_name("eval.md").write_text(eval_page(), encoding="utf-8")

"""Writes the page of the fidelity report: every number on it is computed, every sentence follows from numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fidelity_gains import (
    CAMERA,
    FIGURES,
    HAND_FIGURES,
    INTERACTION_FIGURES,
    OBJECT_FIGURES,
    PIXELS,
    Evaluations,
    Gain,
    error_of,
    fed_by,
    gains,
    meets,
)

from hoiset.eval.metrics import metric

AIMS: dict[str, float] = {
    "hand_recall": 0.95,
    "handedness_accuracy": 0.98,
    "hand_root_relative_mpjpe_mm": 20.0,
    "hand_pa_mpjpe_mm": 9.0,
    "wrist_depth_error_percent": 8.0,
    "object_recall": 0.9,
    "object_translation_mm": 40.0,
    "object_rotation_deg": 25.0,
    "state_macro_f1": 0.85,
    "grasp_f1_250ms": 0.85,
}
BOX_FIGURES = ("hand_recall", "hand_precision", "hand_box_iou", "object_recall", "object_box_iou")
FED_AIMS: dict[str, float] = {
    "object_translation_mm": 5.0,
    "object_rotation_deg": 3.0,
    "state_macro_f1": 0.97,
    "grasp_f1_250ms": 0.97,
}
"""With perfect perception: the build that is fed most."""


def write_page(
    path: Path,
    evaluations: Evaluations,
    result: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
    ablation: Evaluations | None = None,
) -> None:
    """Write the page.

    Args:
        path: The Markdown file.
        evaluations: Of the builds; ``pixels`` must be there.
        result: Last line of the run: ``corpus`` and ``real`` are read.
        before: Last line of an earlier run, for a table of before and after.
        ablation: Of builds of a part of the videos that are fed from ground truth; by default the same.
    """
    parts = [
        _head(result["corpus"], evaluations[PIXELS]["meta"]),
        _aims(evaluations, ablation or evaluations),
        _ablation(ablation or evaluations),
        _largest(ablation or evaluations),
        _before_after(before, evaluations) if before else "",
        _screening(evaluations[PIXELS], result["corpus"]["kinds"]),
        _real(result["real"]) if "real" in result else "",
        _how(),
    ]
    path.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def short(value: float | None) -> str:
    """Three digits, ``-`` for nothing."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def with_interval(figure: Mapping[str, Any] | None) -> str:
    """``value [low, high]``."""
    if figure is None or figure["value"] is None:
        return "-"
    if figure["low"] is None:
        return short(figure["value"])
    return f"{short(figure['value'])} [{short(figure['low'])}, {short(figure['high'])}]"


def _unit(name: str) -> str:
    return f" {metric(name).unit}" if metric(name).unit else ""


def _head(corpus: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    kinds = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in sorted(corpus["kinds"].items()))
    return f"""# How true is what is built?

<!-- made by benchmarks/fidelity.py -->

{corpus["videos"]} rendered videos of seed 0 and onwards, {corpus["duration_s"]:.0f} s in all ({kinds}), with exact
ground truth of {meta["truth"]["clips"]} clips, are built by recipe `v2` as the code stands and measured with `hoiset
eval`. No threshold is tuned on these seeds. Figures are pooled over clips; brackets are {meta["confidence"]:.0%}
intervals from resampling whole clips. What each figure means: [docs/eval.md](../docs/eval.md).
"""


def _aims(evaluations: Evaluations, ablation: Evaluations) -> str:
    pixels, camera = evaluations[PIXELS]["pooled"], evaluations.get(CAMERA, {}).get("pooled", {})
    rows = [
        (
            f"`{name}`",
            _aim(name, aim),
            with_interval(pixels[name]),
            with_interval(camera.get(name)),
            _met(name, aim, pixels),
        )
        for name, aim in AIMS.items()
    ]
    out = "## Aims\n\n" + table(("figure", "aim", "from pixels", "camera given", "met from pixels"), rows)
    most = max(ablation, key=lambda name: len(fed_by(name)))
    if most == PIXELS:
        return out
    fed = ablation[most]["pooled"]
    rows = [(f"`{n}`", _aim(n, aim), with_interval(fed[n]), _met(n, aim, fed)) for n, aim in FED_AIMS.items()]
    clips = ablation[most]["meta"]["truth"]["clips"]
    return f"{out}\nWith perfect perception ({most} from ground truth, {clips} clips):\n\n" + table(
        ("figure", "aim", "found", "met"), rows
    )


def _aim(name: str, aim: float) -> str:
    return f"{'>=' if metric(name).better == 'higher' else '<='} {aim:g}{_unit(name)}"


def _met(name: str, aim: float, pooled: Mapping[str, Any]) -> str:
    """By the figure itself, and whether its whole interval agrees."""
    figure = pooled[name]
    met = meets(name, figure["value"], aim)
    ends = [meets(name, figure[end], aim) for end in ("low", "high") if figure[end] is not None]
    unsure = ", but not all of the interval" if met and not all(ends) else ", but the aim is within the interval"
    return ("yes" if met else "no") + (unsure if any(end != met for end in ends) else "")


def _ablation(evaluations: Evaluations) -> str:
    clips = evaluations[PIXELS]["meta"]["truth"]["clips"]
    out = f"""## What each stage costs

Each row is a build of the same videos, the first of the set ({clips} clips with truth); what it names comes from ground
truth.
"""
    for title, names in (("Hands", HAND_FIGURES), ("Objects", OBJECT_FIGURES), ("Interaction", INTERACTION_FIGURES)):
        headers = ("given", *(f"`{name}`" for name in names))
        rows = [
            (name if name != PIXELS else "nothing: from pixels", *(with_interval(e["pooled"][n]) for n in names))
            for name, e in evaluations.items()
        ]
        out += f"\n{title}\n\n{table(headers, rows)}"
    return out


def _largest(evaluations: Evaluations) -> str:
    """A line for each figure, and the three stages that cost most."""
    found = gains(evaluations)
    if not found:
        return ""
    by_figure = {name: sorted((g for g in found if g.figure == name), key=lambda g: -g.share) for name in FIGURES}
    lines = []
    for name, steps in by_figure.items():
        helping = [g for g in steps if g.share > 0][:3]
        value = evaluations[PIXELS]["pooled"][name]["value"]
        told = "; ".join(_told(g) for g in helping) or "nothing that is fed makes it better"
        lines.append(f"- `{name}` ({short(value)}{_unit(name)} from pixels): {told}.")
    best = {fed: max((g for g in found if g.fed == fed), key=_weight) for fed in {g.fed for g in found}}
    top = sorted((g for g in best.values() if g.share > 0), key=_weight, reverse=True)[:3]
    ranked = [f"{i}. {_stage(g.fed)}: with it given, `{g.figure}` goes {_way(g)}." for i, g in enumerate(top, 1)]
    intro = """## Where the error is

The share of each figure's error that goes away when a stage's output is given on top of what is given already (a star:
the figure leaves the interval that it had). Figures that measure the very thing that is given are left out. Errors of
objects are of those that are found: a build that finds more of them may show larger ones.
"""
    most = "The stages whose errors weigh most, each by the figure that it costs most:"
    return "\n".join([intro, *lines, "", most, "", *ranked, ""])


def _weight(gain: Gain) -> tuple[bool, float]:
    return gain.clear, gain.share


def _stage(fed: str) -> str:
    return fed.replace("_", " ")


def _told(gain: Gain) -> str:
    return f"{_stage(gain.fed)} given {_way(gain)}"


def _way(gain: Gain) -> str:
    star = "*" if gain.clear else ""
    return f"{short(gain.before)} -> {short(gain.after)}{_unit(gain.figure)} ({gain.share:.0%} of the error{star})"


def _before_after(before: Mapping[str, Any], evaluations: Evaluations) -> str:
    """Figures of an earlier run on the same set beside these."""
    old = before["figures"]
    rows = []
    for build in (name for name in (PIXELS, CAMERA) if name in old and name in evaluations):
        for name in FIGURES:
            was, now = _as_figure(old[build].get(name)), evaluations[build]["pooled"][name]
            rows.append((build, f"`{name}`", with_interval(was), with_interval(now), _change(name, was, now)))
    return "## Before and after\n\n" + table(("build", "figure", "before", "now", "change of the error"), rows)


def _as_figure(value: Any) -> Mapping[str, Any] | None:
    if value is None or isinstance(value, Mapping):
        return value
    return {"value": float(value), "low": None, "high": None}


def _change(name: str, was: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    if was is None or was["value"] is None or now["value"] is None or error_of(name, was["value"]) <= 0:
        return "-"
    return f"{error_of(name, now['value']) / error_of(name, was['value']) - 1.0:+.0%}"


def _screening(evaluation: Mapping[str, Any], kinds: Mapping[str, int]) -> str:
    found, pooled = evaluation["screening"], evaluation["pooled"]
    if "wrong" not in found:
        return ""
    rows = []
    for kind in sorted(kinds):
        wrong = [w for w in found["wrong"] if w["kind"] == kind]
        said = ", ".join(f"{w['found']} instead of {w['expected']} ({w['uid']})" for w in wrong)
        rows.append((kind.replace("_", " "), str(kinds[kind]), str(kinds[kind] - len(wrong)), said or "-"))
    names = [name for name in pooled if name.startswith("screen_") and pooled[name]["value"] is not None]
    return (
        "## Screening\n\n"
        + table(("kind", "videos", "right", "wrong"), rows)
        + "\n"
        + table(("figure", "value"), [(f"`{name}`", with_interval(pooled[name])) for name in names])
    )


def _real(real: Mapping[str, Mapping[str, Any]]) -> str:
    joints = ("hands_real", "hot3d", "arctic")
    figures = [name for name, value in real["hands_real"].items() if isinstance(value, Mapping)]
    rows = [(f"`{name}`", *(with_interval(real[of].get(name)) for of in joints)) for name in figures]
    boxes = [(f"`{name}`", with_interval(f), str(f["n"])) for name, f in real["boxes"].items() if name in BOX_FIGURES]
    told = [
        (r["clip"], ", ".join(r["pass_1"]), r["status"], short(r["hand_recall"]), _overlaps(r["object_box_iou"]))
        for r in real["boxes"]["rows"]
    ]
    return f"""## Real ground truth

- `hands_real`: {real["hands_real"]["images"]} photographs of left hands; camera given, one hand length for all;
  resampled by image. Errors are of hands that are found in place.
- `hot3d` and `arctic`: recorded motion without images, {real["hot3d"]["frames"]} and {real["arctic"]["frames"]} frames
  of one person each. Exact landmarks go into the lifting stage, so that its own error is left. The length of hands is
  assumed: a person with other hands shows as an error of depth. The camera stands where the adapter has it, turned
  towards the hands. Resampled in blocks of half a second: the intervals know nothing of other people.
- `boxes`: {real["boxes"]["clips"]} hand-held clips; pass 2 gets the whole clip, whatever pass 1 says. A hand is found
  where the middle of its joints lies within a box that a person drew around a hand; an object, where the mean overlap
  of its boxes with one reconstructed object's projected mesh reaches 0.5, frames without a pose counting as none. All
  annotated objects count, also those that nobody moves.
- `depth_nyu`, {real["depth_nyu"]["images"]} photographs: {real["depth_nyu"]["why_none"]}.

{table(("figure", *joints), rows)}
{table(("boxes", "value", "n"), boxes)}
{table(("clip of boxes", "pass 1", "pass 2", "hands found", "overlap of objects"), told)}"""


def _overlaps(objects: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {short(iou)}" for name, iou in objects.items())


def _how() -> str:
    return """## How to make it

`python benchmarks/fidelity.py --work DIR` renders the set, builds it once a row and writes this page; `--quick` takes
six videos from pixels alone, and `--check benchmarks/fidelity_bounds.json` fails where a figure has worsened by more
than its interval, and by more than 5 % (of 1, for shares).
"""

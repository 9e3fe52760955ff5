"""Pictures of an evaluation: what a table of means hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hoiset.eval.calibration import ERRORS
from hoiset.eval.evaluate import Evaluation
from hoiset.eval.metrics import METRICS
from hoiset.plotting import canvas, plain_style, to_png

_COLOURS = ("#3b6fb6", "#d1603d", "#4d9a5b", "#8a5fa8", "#a08020")
_STRIPS = (
    "hand_recall",
    "handedness_accuracy",
    "hand_root_relative_mpjpe_mm",
    "hand_pa_mpjpe_mm",
    "wrist_depth_error_percent",
    "object_time_recall",
    "object_precision",
    "object_mask_iou",
    "object_translation_mm",
    "object_rotation_deg",
    "state_macro_f1",
    "grasp_f1_250ms",
)


def draw_figures(evaluation: Evaluation) -> dict[str, bytes]:
    """Name -> PNG of the confusion of gates and states, PCK curves, error by score, and one dot a clip.

    Equal evaluations give equal bytes.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    with plain_style():
        return {
            "confusion": _confusions(evaluation),
            "pck": _curves(evaluation.curves),
            "clips": _strips(evaluation.clips),
            "calibration": _calibration(evaluation),
        }


def _nothing(axis: Any, title: str) -> None:
    axis.set_title(title, fontsize=10)
    axis.text(0.5, 0.5, "nothing to judge", ha="center", va="center", transform=axis.transAxes)
    axis.set_axis_off()


def _confusions(evaluation: Evaluation) -> bytes:
    figure, axes = canvas(11.0, 5.0, 1, 2)
    gates = evaluation.screening.get("confusion")
    if gates is None:
        _nothing(axes[0, 0], "gates of pass 1")
    else:
        _matrix(axes[0, 0], gates["outcomes"], np.array(gates["counts"], float), "gates of pass 1 (videos)", "{:.0f}")
    seconds = np.array(evaluation.confusion["seconds"])
    _matrix(axes[0, 1], evaluation.confusion["states"], seconds, "object states (s)", "{:.1f}")
    return to_png(figure)


def _matrix(axis: Any, names: Sequence[str], values: np.ndarray, title: str, form: str) -> None:
    """Rows are coloured by share of the row, so that rare outcomes can be read as well as frequent ones."""
    total = values.sum(1, keepdims=True)
    share = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(values):
        if value > 0:
            axis.text(
                j, i, form.format(value), ha="center", va="center", color="w" if share[i, j] > 0.5 else "k", size=8
            )
    axis.set_xticks(range(len(names)), labels=names, rotation=45, ha="right", fontsize=8)
    axis.set_yticks(range(len(names)), labels=names, fontsize=8)
    axis.set_xlabel("found")
    axis.set_ylabel("true")
    axis.set_title(title, fontsize=10)


def _curves(curves: Mapping[str, Any]) -> bytes:
    figure, axes = canvas(10.0, 4.0, 1, 2)
    hands = {"absolute": "absolute", "root_relative": "wrists at the origin", "pa": "Procrustes"}
    _curve(axes[0, 0], curves, hands, "joints of found hands: PCK", 50)
    _curve(axes[0, 1], curves, {"add": "ADD", "adds": "ADD-S"}, "matched manipulated objects", 100)
    return to_png(figure)


def _curve(axis: Any, curves: Mapping[str, Any], names: Mapping[str, str], title: str, right_mm: float) -> None:
    if not any(name in curves for name in names):
        _nothing(axis, title)
        return
    for (name, label), colour in zip(names.items(), _COLOURS, strict=False):
        if name in curves:
            axis.plot(curves["thresholds_mm"], curves[name], color=colour, label=label)
    axis.set_xlim(0, right_mm)
    axis.set_ylim(0, 1.02)
    axis.set_xlabel("error at most, mm")
    axis.set_ylabel("share")
    axis.set_title(title, fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="lower right")


def _strips(clips: Sequence[Mapping[str, Any]]) -> bytes:
    """One dot a clip; the line is their median. Clips without a value stand in the title."""
    figure, axes = canvas(12.0, 7.0, 3, 4)
    units = {m.name: m.unit for m in METRICS}
    sides = np.random.default_rng(0).uniform(-0.3, 0.3, len(clips))
    for axis, name in zip(axes.flat, _STRIPS, strict=True):
        values = np.array([np.nan if row[name] is None else row[name] for row in clips])
        has = np.isfinite(values)
        title = f"{name} ({has.sum()} of {len(values)} clips)"
        if not has.any():
            _nothing(axis, title)
            continue
        axis.scatter(values[has], sides[has], s=18, color=_COLOURS[0], alpha=0.7, linewidths=0)
        axis.axvline(np.median(values[has]), color=_COLOURS[1])
        axis.set_title(title, fontsize=8)
        axis.set_yticks([])
        axis.set_ylim(-0.6, 0.6)
        axis.set_xlim(*((-0.03, 1.03) if not units[name] else (0, 1.08 * max(values[has].max(), 1e-3))))
        axis.set_xlabel(units[name], fontsize=8)
        axis.tick_params(labelsize=8)
    return to_png(figure)


def _calibration(evaluation: Evaluation) -> bytes:
    """Above, error against score; below, mean error of the best-scored share of the clips."""
    figure, axes = canvas(3.0 * len(ERRORS), 6.0, 2, len(ERRORS))
    for column, name in enumerate(ERRORS):
        found = evaluation.calibration[name]
        pairs = [(s["score"], s[name]) for s in evaluation.samples if s["score"] is not None and s[name] is not None]
        above, below = axes[:, column]
        if not pairs:
            _nothing(above, name)
        else:
            above.scatter(*np.array(pairs).T, s=18, color=_COLOURS[0], alpha=0.7, linewidths=0)
            above.set_xlabel("quality score")
            rho = (found["spearman"] or {}).get("value")
            above.set_title(name if rho is None else f"{name}\nrank correlation {rho:.2f}", fontsize=8)
        if "risk_coverage" not in found:
            _nothing(below, f"{len(pairs)} samples: too few")
            continue
        curve = found["risk_coverage"]
        below.plot([p["coverage"] for p in curve], [p["risk"] for p in curve], color=_COLOURS[0])
        below.axhline(found["risk"], color="0.6", linestyle=":")
        below.set_ylim(bottom=0)
        below.set_xlabel("share of samples kept, best first")
        below.set_title("mean error of those kept", fontsize=8)
    return to_png(figure)

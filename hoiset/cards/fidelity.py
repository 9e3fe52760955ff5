"""Measured fidelity on a card: figures of `hoiset eval`, kept in the dataset as ``eval/<version>.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hoiset.cards.markdown import cell, details, table
from hoiset.cards.words import NOT_MEASURED
from hoiset.errors import DatasetError
from hoiset.shards.atomic import write_atomic
from hoiset.shards.codec import canonical_json
from hoiset.shards.manifest import data_digest, read_manifest

HEADLINES = (
    "hand_recall",
    "hand_precision",
    "handedness_accuracy",
    "hand_mpjpe_mm",
    "hand_root_relative_mpjpe_mm",
    "hand_pa_mpjpe_mm",
    "wrist_depth_error_percent",
    "object_recall",
    "object_precision",
    "object_mask_iou",
    "object_translation_mm",
    "object_rotation_deg",
    "object_scale_error_percent",
    "state_macro_f1",
    "grasp_f1_250ms",
    "contact_precision",
    "contact_recall",
)
"""The figures that a card shows at once; the others are folded."""
_SAME = ("profile", "screen", "reconstruct", "oracle")


def fidelity_path(version: str) -> str:
    """Path of the figures relative to the dataset's root."""
    return f"eval/{version}.json"


def write_fidelity(root: Path, version: str, report: Mapping[str, Any], build: Path, build_version: str) -> Path:
    """Keep the figures of an evaluation in a dataset, for its card.

    The manifest does not list them: they are made after it, and may be made again.

    Args:
        root: Dataset whose card is to tell them.
        version: Of it.
        report: ``pooled`` and ``meta`` of :meth:`hoiset.eval.evaluate.Evaluation.to_json`.
        build: What was measured: the dataset itself, or a build with the same recipe and weights.
        build_version: Of it.

    Raises:
        DatasetError: The build was made in another way, or the disk refuses.
    """
    ours, theirs = read_manifest(root, version), read_manifest(build, build_version)
    odd = [name for name in _SAME if ours["recipe"].get(name) != theirs["recipe"].get(name)]
    odd += ["backends"] if _backends(ours) != _backends(theirs) else []
    if odd:
        raise DatasetError(
            f"{build} was made with another {', '.join(odd)} than {root}; expected the same, else its figures say "
            "nothing of this dataset"
        )
    path = Path(root) / fidelity_path(version)
    kept = {"pooled": report["pooled"], "meta": report["meta"], "data_sha256": data_digest(theirs)}
    kept["meta"] = {name: value for name, value in kept["meta"].items() if name != "samples_without_truth"}
    write_atomic(path, canonical_json(kept, indent=1))
    return path


def _backends(manifest: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return sorted(tuple(str(b.get(k)) for k in ("name", "version", "weights")) for b in manifest["backends"])


def read_fidelity(root: Path, version: str) -> dict[str, Any] | None:
    """The figures, or ``None`` where nothing was measured.

    Raises:
        DatasetError: The file is none of `hoiset eval`.
    """
    path = Path(root) / fidelity_path(version)
    if not path.exists():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        for figure in found["pooled"].values():
            _ = figure["value"], figure["low"], figure["high"], figure["n"], figure["clips"]
        _ = found["meta"]["metrics"], found["meta"]["truth"]["clips"], found["meta"]["build"]["samples"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{path} holds no figures of `hoiset eval` ({error!r}); measure again") from error
    return found


def fidelity_section(root: Path, version: str, manifest: Mapping[str, Any]) -> str:
    """What was measured, or that nothing was."""
    found = read_fidelity(root, version)
    if found is None:
        return f"## Measured fidelity\n\n{NOT_MEASURED}\n"
    meta = found["meta"]
    same = found.get("data_sha256") == data_digest(manifest)
    what = "This very data" if same else "A build with the same recipe, backends and weights"
    text = (
        f"{what} ({meta['build']['samples']:,} clips) was measured by `hoiset eval` against {meta['truth']['clips']:,} "
        "clips with ground truth. Intervals are 95 %, from drawing whole clips with replacement; an arrow says which "
        "way is better.\n"
    )
    if not same:
        text += "\nFigures of rendered or recorded ground truth may be better or worse than those of this footage.\n"
    shown = [name for name in HEADLINES if _has_value(found, name)]
    others = [name for name in found["pooled"] if name not in HEADLINES and _has_value(found, name)]
    header = ("figure", "value", "95 %", "clips", "meaning")
    tables = [table(header, (_row(found, name) for name in names), right=(1, 3)) for names in (shown, others)]
    rest = details(f"{len(others)} more figures", tables[1]) if others else ""
    return f"## Measured fidelity\n\n{text}\n{tables[0]}\n{rest}"


def _has_value(found: Mapping[str, Any], name: str) -> bool:
    return isinstance(found["pooled"].get(name, {}).get("value"), (int, float))


def _row(found: Mapping[str, Any], name: str) -> tuple[str, ...]:
    figure, metric = found["pooled"][name], found["meta"]["metrics"].get(name, {})
    interval = "" if figure["low"] is None else f"{_short(figure['low'])} to {_short(figure['high'])}"
    unit = str(metric.get("unit", ""))
    arrow = {"higher": "&nbsp;↑", "lower": "&nbsp;↓"}.get(str(metric.get("better")), "")
    value = f"{_short(figure['value'])}{'' if unit in ('', '0..1') else '&nbsp;' + cell(unit)}{arrow}"
    return f"`{name}`", value, interval, f"{figure['clips']:,}", cell(str(metric.get("meaning", "")), 160)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"

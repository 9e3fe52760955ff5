"""Where the error is: what happens to each figure when one more stage's output is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hoiset.eval.metrics import metric

Evaluations = Mapping[str, Mapping[str, Any]]
"""Name of a build (what it is fed, with commas between) -> contents of its ``eval.json``."""

PIXELS, CAMERA = "pixels", "camera"
HAND_FIGURES = (
    "hand_recall",
    "handedness_accuracy",
    "hand_root_relative_mpjpe_mm",
    "hand_pa_mpjpe_mm",
    "wrist_depth_error_percent",
    "wrist_rotation_deg",
)
OBJECT_FIGURES = (
    "object_recall",
    "object_precision",
    "object_mask_iou",
    "object_translation_mm",
    "object_rotation_deg",
    "object_chamfer_mm",
)
INTERACTION_FIGURES = ("state_macro_f1", "grasp_f1_250ms", "contact_precision", "contact_recall")
FIGURES = (*HAND_FIGURES, *OBJECT_FIGURES, *INTERACTION_FIGURES)
SAYS_ITSELF = {"hands": HAND_FIGURES, "landmarks": ("hand_recall", "handedness_accuracy")}
"""Figures that say nothing of a stage that is fed, since what is fed is what they measure."""


@dataclass(frozen=True)
class Gain:
    """What feeding one more thing does to one figure.

    Attributes:
        figure: Its name.
        fed: What is fed in addition.
        share: Share of the error that goes away; negative where it grows.
        before: The figure without it.
        after: The figure with it.
        clear: Whether the figure leaves the interval that it had.
    """

    figure: str
    fed: str
    share: float
    before: float
    after: float
    clear: bool


def meets(name: str, value: float | None, aim: float) -> bool:
    """Whether a figure is as good as an aim or better."""
    if value is None:
        return False
    return value >= aim if metric(name).better == "higher" else value <= aim


def error_of(name: str, value: float) -> float:
    """A figure as an error: what is missing to 1 for shares of what is right."""
    return 1.0 - value if metric(name).better == "higher" else value


def parent_of(name: str, evaluations: Evaluations) -> str | None:
    """The build that is fed most of what this one is fed, and nothing else."""
    fed = fed_by(name)
    smaller = [other for other in evaluations if fed_by(other) < fed]
    return max(smaller, key=lambda other: len(fed_by(other)), default=None)


def gains(evaluations: Evaluations) -> list[Gain]:
    """What every step from a build to one that is fed more does to every figure that it does not dictate."""
    out = []
    for name, found in evaluations.items():
        parent = parent_of(name, evaluations)
        if parent is None:
            continue
        fed = fed_by(name) - fed_by(parent)
        said = {figure for stage in fed for figure in SAYS_ITSELF.get(stage, ())}
        for figure in FIGURES:
            a, b = evaluations[parent]["pooled"][figure], found["pooled"][figure]
            if figure in said or a["value"] is None or b["value"] is None or error_of(figure, a["value"]) <= 0:
                continue
            was, now = error_of(figure, a["value"]), error_of(figure, b["value"])
            clear = a["low"] is not None and not a["low"] <= b["value"] <= a["high"]
            out.append(Gain(figure, " and ".join(sorted(fed)), (was - now) / was, a["value"], b["value"], clear))
    return out


def fed_by(name: str) -> frozenset[str]:
    """What a build is fed, by its name."""
    return frozenset() if name == PIXELS else frozenset(part.strip().replace(" ", "_") for part in name.split(","))

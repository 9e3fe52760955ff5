"""The card's pictures: numbers and skeletons on a light panel, which is legible on a light page and on a dark one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hoiset.cards.sheet import draw_sheet
from hoiset.cards.statistics import QUALITY_COLUMNS, Statistics, describe
from hoiset.plotting import canvas, plain_style, to_png
from hoiset.shards.atomic import write_atomic
from hoiset.shards.index import read_index
from hoiset.shards.manifest import figure_path, figure_paths
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.schema import N_JOINTS

MAX_BARS = 10
MAX_SKELETONS = 6
WIDTH_IN = 10.0
DPI = 150
PANEL, EDGE, INK, SOFT, RULE = "#ffffff", "#d5dae1", "#1d2228", "#5c6570", "#e8ebef"
COLOURS = ("#3b6fb6", "#c2572f")
_STOPPED = "#a9b1bc"
_GOOD = "#2f7d4f"
_JOINTS = "hand_joints_2d.npy.gz"
_FINGERS = tuple((0, *range(start, start + 4)) for start in range(1, N_JOINTS, 4))


def write_figures(root: Path, version: str, *, bring: Callable[[str], None] | None = None) -> list[Path]:
    """Draw the pictures of a version (:data:`hoiset.shards.manifest.FIGURES`); equal data give equal bytes.

    ``overview`` shows what is in it, ``quality`` how good it says it is, ``yield`` what pass 1 left out, ``sheet`` what
    was reconstructed over footage whose licence allows it, and ``hands`` skeletons alone where none does.

    Args:
        root: Dataset root, with the index.
        version: Name of the version.
        bring: Called with the path of a shard that must be in ``root`` now, where they are kept elsewhere.

    Returns:
        The files; none for a version without clips. Earlier pictures of the version are gone.

    Raises:
        MissingDependency: matplotlib or OpenCV is not installed.
        DatasetError: The index or a shard cannot be read.
    """
    root = Path(root)
    index = read_index(root, version)
    pictures: dict[str, bytes | None] = {}
    if index.num_rows:
        statistics = describe(root, index)
        with plain_style():
            pictures["overview.png"] = _overview(statistics, index)
            pictures["quality.png"] = _quality(statistics, index)
            pictures["yield.png"] = _yield(statistics)
            pictures["sheet.jpg"] = draw_sheet(root, version, bring=bring)
            if pictures["sheet.jpg"] is None:
                pictures["hands.png"] = _hands(root, index, bring)
    for path in figure_paths(root, version):
        (root / path).unlink()
    paths = []
    for name, data in pictures.items():
        if data is not None:
            paths.append(root / figure_path(version, name))
            write_atomic(paths[-1], data)
    return paths


def _panel(height: float, rows: int, columns: int) -> tuple[Any, Any]:
    """A figure whose ground is a light panel with round corners, and its axes."""
    from matplotlib.patches import FancyBboxPatch

    figure, axes = canvas(WIDTH_IN, height, rows, columns, dpi=DPI)
    figure.patch.set_alpha(0.0)
    figure.set_layout_engine("constrained", w_pad=0.14, h_pad=0.14, wspace=0.04, hspace=0.05)
    inset, radius = 0.012, 0.1
    figure.add_artist(
        FancyBboxPatch(
            (inset + radius, inset + radius), WIDTH_IN - 2 * (inset + radius), height - 2 * (inset + radius),
            boxstyle=f"round,pad={radius}", transform=figure.dpi_scale_trans, facecolor=PANEL, edgecolor=EDGE,
            linewidth=0.8, zorder=-10,
        )
    )  # fmt: skip
    for axis in axes.flat:
        axis.set_facecolor("none")
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
        axis.spines["bottom"].set_color(EDGE)
        axis.tick_params(length=0, labelsize=8.5, colors=SOFT)
        axis.set_axisbelow(True)
    return figure, axes


def _title(axis: Any, text: str) -> None:
    axis.set_title(text, fontsize=10.5, color=INK, loc="left", fontweight="bold", pad=8, parse_math=False)


def _overview(statistics: Statistics, index: pa.Table) -> bytes:
    figure, axes = _panel(6.4, 2, 2)
    _bars(axes[0, 0], statistics.verbs, "Verbs", "clips")
    _bars(axes[0, 1], statistics.labels, "Objects", "objects")
    _bars(axes[1, 0], [(s.replace("_", " "), n) for s, n in statistics.states], "Object states", "clips with it")
    durations = index["duration_s"].drop_null().to_numpy()
    _title(axes[1, 1], "Duration of a clip")
    _histogram(axes[1, 1], durations, min(24, max(6, len(durations) // 4)), None)
    axes[1, 1].set_xlabel("s", fontsize=8.5, color=SOFT)
    axes[1, 1].set_ylabel("clips", fontsize=8.5, color=SOFT)
    return to_png(figure)


def _bars(axis: Any, counts: Sequence[tuple[str, int]], title: str, unit: str) -> None:
    shown = list(counts[:MAX_BARS])[::-1]
    _title(axis, title)
    note = unit if len(counts) <= MAX_BARS else f"{unit}, first {MAX_BARS} of {len(counts):,}"
    axis.set_title(note, fontsize=8.5, color=SOFT, loc="right", pad=8)
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    if not shown:
        axis.text(0.0, 0.9, "none", color=SOFT, fontsize=9, transform=axis.transAxes)
        axis.set_yticks([])
        return
    most = max(n for _, n in shown)
    axis.barh(range(len(shown)), [n for _, n in shown], height=0.66, color=COLOURS[0])
    for i, (_, n) in enumerate(shown):
        axis.text(n + most * 0.015, i, f"{n:,}", va="center", fontsize=8.5, color=SOFT)
    axis.set_xlim(0, most * 1.12)
    axis.set_ylim(min(-0.6, len(shown) - 6.4), len(shown) - 0.4)
    axis.set_yticks(range(len(shown)))
    axis.set_yticklabels([_ascii(name) for name, _ in shown], parse_math=False, color=INK)


def _ascii(text: str) -> str:
    """Words come from captions: the font may lack their letters, and control characters draw as boxes."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:28]


def _histogram(axis: Any, values: np.ndarray, bins: int, limits: tuple[float, float] | None) -> None:
    axis.hist(values, bins=bins, range=limits, color=COLOURS[0], rwidth=0.92)
    axis.yaxis.get_major_locator().set_params(integer=True, nbins=4)
    axis.grid(axis="y", color=RULE, linewidth=0.8)


def _quality(statistics: Statistics, index: pa.Table) -> bytes | None:
    there = [name for name in QUALITY_COLUMNS if name in statistics.quality]
    if not there:
        return None
    columns = 3
    figure, axes = _panel(2.1 * -(-len(there) // columns) + 0.2, -(-len(there) // columns), columns)
    for axis, name in zip(axes.flat, there, strict=False):
        values = index[name].drop_null().to_numpy()
        top = max(float(values.max()) * 1.05, 1e-2) if name == "hand_reprojection" else max(1.0, float(values.max()))
        _title(axis, name)
        _histogram(axis, values, 20, (0.0, top))
        axis.xaxis.get_major_locator().set_params(nbins=5)
        axis.set_xlim(-0.02 * top, 1.02 * top)
        median = statistics.quality[name][1]
        axis.axvline(median, color=COLOURS[1], linewidth=1.4)
        axis.set_title(f"median {median:.3g}", fontsize=8.5, color=COLOURS[1], loc="right", pad=8)
    for axis in axes.flat[len(there) :]:
        axis.set_axis_off()
    return to_png(figure)


def _yield(statistics: Statistics) -> bytes | None:
    """One bar a gate: candidates that it stopped, and those that passed, as shares of all."""
    if not statistics.screen:
        return None
    total = sum(n for _, n in statistics.screen)
    figure, axes = _panel(0.95 + 0.3 * len(statistics.screen), 1, 1)
    axis = axes[0, 0]
    shown = statistics.screen[::-1]
    _title(axis, "Pass 1")
    axis.set_title(f"what became of {total:,} candidates", fontsize=8.5, color=SOFT, loc="right", pad=8)
    axis.barh(
        range(len(shown)),
        [n for _, n in shown],
        height=0.62,
        color=[_GOOD if g == "ok" else _STOPPED for g, _ in shown],
    )
    for i, (_, n) in enumerate(shown):
        axis.text(n + total * 0.008, i, f"{n:,}   {n / total:.1%}", va="center", fontsize=8.5, color=SOFT)
    axis.set_xlim(0, total * 1.14)
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    axis.set_yticks(range(len(shown)))
    names = ["passed" if gate == "ok" else _ascii(gate).replace("_", " ") for gate, _ in shown]
    axis.set_yticklabels(names, parse_math=False, color=INK)
    return to_png(figure)


def _hands(root: Path, index: pa.Table, bring: Callable[[str], None] | None) -> bytes:
    """Hands of a few clips in the image plane: the way of both wrists, and the joints in the middle frame."""
    rows = np.unique(np.linspace(0, index.num_rows - 1, MAX_SKELETONS).round().astype(int))
    columns = MAX_SKELETONS // 2
    lines = -(-len(rows) // columns)
    figure, axes = _panel(2.35 * lines + 0.2, lines, columns)
    with ShardReader(root) as reader:
        for axis, row in zip(axes.flat, rows, strict=False):
            clip = index.slice(int(row), 1).to_pylist()[0]
            if bring is not None:
                bring(next(member["shard"] for member in clip["members"] if member["member"] == _JOINTS))
            sample = read_sample(reader, clip["members"], (_JOINTS,))
            _skeleton(axis, clip, sample[_JOINTS])
    for axis in axes.flat[len(rows) :]:
        axis.set_axis_off()
    return to_png(figure)


def _skeleton(axis: Any, clip: dict[str, Any], joints_2d: np.ndarray) -> None:
    axis.set_xlim(-0.5, clip["width"] - 0.5)
    axis.set_ylim(clip["height"] - 0.5, -0.5)
    axis.set_aspect("equal")
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(True)
        spine.set_color(EDGE)
    _title(axis, " ".join(_ascii(w) for w in (clip["verb"] or "", *dict.fromkeys(clip["nouns"][:2]))).strip()[:34])
    for hand, colour in enumerate(COLOURS):
        seen = np.flatnonzero(np.isfinite(joints_2d[:, hand]).all((1, 2)))
        if not len(seen):
            continue
        axis.plot(*joints_2d[:, hand, 0].T, color=colour, alpha=0.4, linewidth=1)
        joints = joints_2d[seen[len(seen) // 2], hand]
        for finger in _FINGERS:
            axis.plot(*joints[list(finger)].T, color=colour, linewidth=1.5, marker=".", markersize=3)

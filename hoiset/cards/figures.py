"""The card's pictures. They show numbers and skeletons, never footage: footage may not be redistributable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hoiset.cards.statistics import Statistics, describe
from hoiset.plotting import canvas, plain_style, to_png
from hoiset.shards.atomic import write_atomic
from hoiset.shards.index import read_index
from hoiset.shards.manifest import figure_path, figure_paths
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.schema import N_JOINTS

MAX_BARS = 12
MAX_SKELETONS = 6
_JOINTS = "hand_joints_2d.npy"
_COLOURS = ("#3b6fb6", "#d1603d")
_FINGERS = tuple((0, *range(start, start + 4)) for start in range(1, N_JOINTS, 4))


def write_figures(root: Path, version: str, *, bring: Callable[[str], None] | None = None) -> list[Path]:
    """Draw ``figures/<version>-overview.png`` and ``figures/<version>-hands.png``; equal data give equal bytes.

    Args:
        root: Dataset root, with the index.
        version: Name of the version.
        bring: Called with the path of a shard that must be in ``root`` now, where they are kept elsewhere.

    Returns:
        The files; none for a version without clips.

    Raises:
        MissingDependency: matplotlib is not installed.
        DatasetError: The index or a shard cannot be read.
    """
    root = Path(root)
    index = read_index(root, version)
    for path in figure_paths(root, version):
        (root / path).unlink()
    if not index.num_rows:
        return []
    with plain_style():
        pictures = {"overview": _overview(describe(root, index), index), "hands": _hands(root, index, bring)}
    paths = []
    for name, png in pictures.items():
        paths.append(root / figure_path(version, f"{name}.png"))
        write_atomic(paths[-1], png)
    return paths


def _overview(statistics: Statistics, index: pa.Table) -> bytes:
    figure, axes = canvas(9.0, 6.0, 2, 2)
    _bars(axes[0, 0], statistics.verbs, "verbs (clips)")
    _bars(axes[0, 1], statistics.labels, "objects")
    _bars(axes[1, 0], statistics.states, "object states (clips in which they occur)")
    durations = index["duration_s"].drop_null().to_numpy()
    axes[1, 1].hist(durations, bins=min(30, max(5, len(durations) // 4)), color=_COLOURS[0])
    axes[1, 1].set_title("clip duration", fontsize=10)
    axes[1, 1].set_xlabel("s")
    return to_png(figure)


def _bars(axis: Any, counts: Sequence[tuple[str, int]], title: str) -> None:
    shown = list(counts[:MAX_BARS])[::-1]
    axis.set_title(title if len(counts) <= MAX_BARS else f"{title}: first {MAX_BARS} of {len(counts)}", fontsize=10)
    if not shown:
        axis.text(0.5, 0.5, "none", ha="center", va="center", transform=axis.transAxes)
        axis.set_axis_off()
        return
    axis.barh(range(len(shown)), [n for _, n in shown], color=_COLOURS[0])
    axis.set_yticks(range(len(shown)))
    axis.set_yticklabels([_ascii(name) for name, _ in shown], parse_math=False, fontsize=8)
    axis.xaxis.get_major_locator().set_params(integer=True)


def _ascii(text: str) -> str:
    """Words come from captions: the font may lack their letters, and control characters draw as boxes."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:28]


def _hands(root: Path, index: pa.Table, bring: Callable[[str], None] | None) -> bytes:
    """Hands of a few clips in the image plane: the way of both wrists, and the joints in the middle frame."""
    rows = np.unique(np.linspace(0, index.num_rows - 1, MAX_SKELETONS).round().astype(int))
    figure, axes = canvas(9.0, 5.0, 2, MAX_SKELETONS // 2)
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
    axis.set_title(" ".join(_ascii(w) for w in (clip["verb"] or "", *clip["nouns"][:2])), fontsize=9, parse_math=False)
    for hand, colour in enumerate(_COLOURS):
        seen = np.flatnonzero(np.isfinite(joints_2d[:, hand]).all((1, 2)))
        if not len(seen):
            continue
        axis.plot(*joints_2d[:, hand, 0].T, color=colour, alpha=0.4, linewidth=1)
        joints = joints_2d[seen[len(seen) // 2], hand]
        for finger in _FINGERS:
            axis.plot(*joints[list(finger)].T, color=colour, linewidth=1.5, marker=".", markersize=3)

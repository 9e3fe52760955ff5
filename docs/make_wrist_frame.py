"""Draws docs/wrist_frame.png, the wrist frame on both hands: ``python docs/make_wrist_frame.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from hoiset.geometry import wrist_frame

FINGERS = ("thumb", "index", "middle", "ring", "little")
AXES = (("x", "tab:red"), ("y", "tab:green"), ("z", "tab:blue"))
LENGTH_M = 0.05


def open_hand(*, left: bool) -> np.ndarray:
    """Joints (21, 3) m of an open hand that lies flat, its back to the reader."""
    joints = np.zeros((21, 3))
    starts = np.array([[-0.030, 0.020], [-0.025, 0.088], [0.0, 0.092], [0.021, 0.086], [0.040, 0.076]])
    towards = np.array([[-0.75, 0.66], [-0.17, 0.98], [0.0, 1.0], [0.12, 0.99], [0.27, 0.96]])
    bones = np.array([[0.034, 0.03, 0.026], [0.04, 0.024, 0.022], [0.044, 0.028, 0.022], [0.04, 0.026, 0.022],
                      [0.032, 0.02, 0.02]])  # fmt: skip
    for finger in range(5):
        along = np.concatenate([[0.0], np.cumsum(bones[finger])])
        joints[1 + 4 * finger : 5 + 4 * finger, :2] = starts[finger] + along[:, None] * towards[finger]
    return joints * (-1.0 if left else 1.0, 1.0, 1.0)


def draw(axes: plt.Axes, *, left: bool) -> None:
    """One hand from above: the reader looks along -Z of the page, whose axes are right-handed."""
    joints = open_hand(left=left)
    for finger in range(5):
        chain = [0, *range(1 + 4 * finger, 5 + 4 * finger)]
        axes.plot(*joints[chain, :2].T, "o-", color="0.6", ms=4, lw=3, zorder=1)
        axes.annotate(FINGERS[finger], joints[4 + 4 * finger, :2] + (0, 0.006), ha="center", color="0.4")
    T = wrist_frame(joints[None], left=left)[0]
    for (name, colour), axis in zip(AXES, T[:3, :3].T, strict=True):
        if abs(axis[2]) > 0.9:
            mark = "o" if axis[2] > 0 else "x"
            axes.plot(*T[:2, 3], mark, ms=9, mew=2.5, color=colour, zorder=4)
            way = "towards you" if axis[2] > 0 else "away from you"
            axes.annotate(f"{name}, {way}", T[:2, 3] + (0, -0.014), ha="center", color=colour, weight="bold")
            continue
        tip = T[:2, 3] + LENGTH_M * axis[:2]
        axes.annotate("", tip, T[:2, 3], arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2.5}, zorder=3)
        axes.annotate(name, tip + 0.006 * axis[:2], ha="center", va="center", color=colour, weight="bold", zorder=3)
    axes.set_title(f"{'left' if left else 'right'} hand, seen from its back")
    axes.set_aspect("equal")
    axes.set_xlim(-0.12, 0.12)
    axes.set_ylim(-0.03, 0.215)
    axes.axis("off")


def main() -> None:
    """Write the picture."""
    figure, both = plt.subplots(1, 2, figsize=(9, 4.6), dpi=110, layout="constrained")
    for axes, left in zip(both, (True, False), strict=True):
        draw(axes, left=left)
    figure.savefig(Path(__file__).with_name("wrist_frame.png"), metadata={"Software": None})


if __name__ == "__main__":
    main()

"""Hand-held clips with boxes that people drew around hands and objects (``boxes/``).

From Something-Something V2 (Goyal et al., ICCV 2017) with the boxes of Something-Else (Materzynska et al., CVPR 2020).

**Units and frames in the files:** boxes x1, y1, x2, y2 in px of the frame, continuous: a box that ends at the image's
right edge has x2 = width. Boxes between key frames are interpolated. Frames are numbered from 1; their rate is not part
of the data (the published videos have 12 frames a second).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from hoiset.errors import DatasetError
from hoiset.eval.adapters.files import existing, number, read_json

HAND = "hand"


@dataclass(frozen=True)
class BoxedClip:
    """One clip.

    Attributes:
        name: Of the clip.
        images: T paths of frames, in order.
        hands: Per frame (n, 4) boxes of hands; which hand is not said, nor that boxes of two frames are one hand.
        objects: (T, O, 4) boxes, NaN where an object is not annotated.
        labels: O nouns.
    """

    name: str
    images: tuple[Path, ...]
    hands: tuple[Float[np.ndarray, "n 4"], ...]
    objects: Float[np.ndarray, "T O 4"]
    labels: tuple[str, ...]


def read_boxes(folder: Path) -> tuple[BoxedClip, ...]:
    """Read all clips, sorted by name; images are found but not opened.

    Raises:
        DatasetError: A file is missing or malformed.
    """
    path = existing(folder, "annotations.json")
    clips = read_json(path)
    if not isinstance(clips, dict):
        raise DatasetError(f"found a {type(clips).__name__} in {path}, expected clips by name")
    try:
        return tuple(_clip(folder, name, clips[name], path) for name in sorted(clips))
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"found {path} with a frame that lacks name, labels, category or box2d: {error!r}"
        ) from error


def _clip(folder: Path, name: str, frames: list[dict[str, Any]], path: Path) -> BoxedClip:
    frames = sorted(frames, key=lambda frame: str(frame["name"]))
    nouns: dict[str, str] = {}
    for frame in frames:
        for label in frame["labels"]:
            if label["standard_category"] != HAND:
                nouns.setdefault(str(label["gt_annotation"]), str(label["category"]))
    slots = {key: i for i, key in enumerate(sorted(nouns))}
    objects = np.full((len(frames), len(slots), 4), np.nan)
    hands = []
    for t, frame in enumerate(frames):
        held = []
        for label in frame["labels"]:
            box = _box(label["box2d"], f"{path}, {frame['name']}")
            if label["standard_category"] == HAND:
                held.append(box)
            else:
                objects[t, slots[str(label["gt_annotation"])]] = box
        hands.append(np.array(held).reshape(-1, 4))
    # Names are "<clip>/<frame>.jpg"; the last part is looked for in the clip's own folder.
    images = tuple(existing(folder, f"{name}/{PurePosixPath(str(frame['name'])).name}") for frame in frames)
    return BoxedClip(name, images, tuple(hands), objects, tuple(nouns[key] for key in slots))


def _box(box: dict[str, Any], where: str) -> Float[np.ndarray, "4"]:
    out = np.array([number(box[key], where) for key in ("x1", "y1", "x2", "y2")])
    if not (out[2:] > out[:2]).all():
        raise DatasetError(f"found the box {out.tolist()} in {where}, expected x1 < x2 and y1 < y2")
    return out

"""Finds hands and things in real hand-held clips, against boxes that people drew.

A clip's frames are encoded at the published rate and go through both passes as any video would; pass 2 gets the whole
clip, whatever pass 1 says of it. Boxes of hands are drawn around hand and wrist, or what is seen of them, so that their
overlap with a box of 21 joints says little: a hand is found where the middle of its joints lies within an annotated box
(one hand a box). An object is found where the mean overlap of its annotated boxes with the box of one reconstructed
object's projected mesh reaches :data:`MATCH_IOU`, frames without a pose counting as none.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fidelity_hands import interval
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from hoiset.builder.engine.cache import StageCache
from hoiset.builder.reconstruct.pipeline import Backends, ReconstructParams, reconstruct_clip
from hoiset.builder.records import Clip, SourceVideo
from hoiset.builder.screen import ScreenParams, screen_video
from hoiset.errors import ClipError
from hoiset.eval import definitions as d
from hoiset.eval.adapters import BoxedClip, read_image
from hoiset.eval.reading import View, make_view
from hoiset.geometry import project, transform
from hoiset.video import encode_mp4

FRAMES_PER_S = 12.0
MATCH_IOU = 0.5


@dataclass(frozen=True)
class BoxScores:
    """One clip's.

    Attributes:
        name: Of the clip.
        gates: What pass 1 says of its spans.
        status: ``ok``, or why pass 2 makes nothing of it.
        hand: A value for every annotated hand box: whether a hand is in it.
        hand_iou: Overlap of the joints' box with the annotated one, of hands that are found.
        predicted_hand: A value for every predicted hand of a frame: whether it is in an annotated box.
        object_iou: Mean overlap of every annotated object with the reconstructed one that it is matched to.
        labels: Of the annotated objects.
        made: How many objects were reconstructed.
    """

    name: str
    gates: tuple[str, ...]
    status: str
    hand: Float[np.ndarray, "a"]
    hand_iou: Float[np.ndarray, "b"]
    predicted_hand: Float[np.ndarray, "c"]
    object_iou: Float[np.ndarray, "O"]
    labels: tuple[str, ...]
    made: int


def box_figures(clips: tuple[BoxedClip, ...], backends: Backends) -> dict[str, Any]:
    """Both passes on every clip: pooled figures with intervals over clips, and a row for each."""
    scores = [judge(clip, backends) for clip in clips]
    return {
        "clips": len(scores),
        "hand_recall": interval([s.hand for s in scores]),
        "hand_precision": interval([s.predicted_hand for s in scores]),
        "hand_box_iou": interval([s.hand_iou for s in scores]),
        "object_recall": interval([(s.object_iou >= MATCH_IOU).astype(float) for s in scores]),
        "object_box_iou": interval([s.object_iou for s in scores]),
        "rows": [_row(s) for s in scores],
    }


def _row(s: BoxScores) -> dict[str, Any]:
    names = (f"{label} {i + 1}" for i, label in enumerate(s.labels))
    return {
        "clip": s.name,
        "pass_1": sorted(set(s.gates)),
        "status": s.status,
        "hand_recall": float(s.hand.mean()) if len(s.hand) else None,
        "object_box_iou": dict(zip(names, s.object_iou.tolist(), strict=True)),
        "reconstructed": s.made,
    }


def judge(clip: BoxedClip, backends: Backends) -> BoxScores:
    """Both passes on one clip."""
    n = len(clip.images)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        path.write_bytes(encode_mp4(_frames(clip), np.arange(n) / FRAMES_PER_S))
        video = SourceVideo(f"{clip.name}.mp4", path)
        gates = tuple(c.gate for c in screen_video(video, backends.hands, ScreenParams()))
        try:
            whole = Clip("clip", video, 0.0, n / FRAMES_PER_S, "test")
            made = reconstruct_clip(whole, backends, ReconstructParams(), StageCache(None), _provenance())
        except ClipError as error:
            view, status = None, error.reason
        else:
            view, status = make_view(made), "ok"
    if view is None:
        empty = np.zeros(0)
        hands = np.zeros(sum(map(len, clip.hands)))
        return BoxScores(clip.name, gates, status, hands, empty, empty, np.zeros(len(clip.labels)), clip.labels, 0)
    at = np.abs(view.time[None] - np.arange(n)[:, None] / FRAMES_PER_S).argmin(1)
    found = [match_hands(hand_boxes(view, t), clip.hands[i]) for i, t in enumerate(at)]
    hand, iou, predicted = (np.concatenate(parts) for parts in zip(*found, strict=True))
    overlap = match_objects(object_boxes(view)[at], clip.objects)
    return BoxScores(clip.name, gates, status, hand, iou, predicted, overlap, clip.labels, view.n_objects)


def _frames(clip: BoxedClip) -> Iterator[np.ndarray]:
    """Without the last column or row where there is an odd number of them: H.264 takes even sizes."""
    for path in clip.images:
        rgb = read_image(path)
        yield rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2]


def _provenance() -> dict[str, str]:
    return {"hoiset": "", "recipe": "", "recipe_digest": "", "profile": "cpu"}


def hand_boxes(view: View, t: int) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 4"]]:
    """Middles and boxes of the joints of a frame's hands, px, continuous: pixel 0 spans 0 to 1."""
    joints = view.joints_2d[t][view.hand[t]] * min(view.size) + 0.5
    return joints.mean(1), np.concatenate([joints.min(1), joints.max(1)], axis=-1)


def object_boxes(view: View) -> Float[np.ndarray, "T O 4"]:
    """Boxes of the projected meshes within the image, px, continuous; NaN where an object is absent or out of view."""
    out = np.full((len(view.time), view.n_objects, 4), np.nan)
    limit = np.array([*view.size, *view.size], float)
    for t, o in np.argwhere(view.there):
        points = transform(view.pose[t, o], view.meshes[o][0])
        if (points[:, 2] <= 0).any():
            continue
        pixels = project(view.K, points) + 0.5
        box = np.clip(np.concatenate([pixels.min(0), pixels.max(0)]), 0.0, limit)
        if (box[2:] > box[:2]).all():
            out[t, o] = box
    return out


def match_hands(
    predicted: tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 4"]], annotated: Float[np.ndarray, "m 4"]
) -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "k"], Float[np.ndarray, "n"]]:
    """Whether each annotated box has a hand; the overlap of those k that have; whether each hand has a box."""
    middle, box = predicted
    low, high = annotated[None, :, :2], annotated[None, :, 2:]
    inside = ((middle[:, None] >= low) & (middle[:, None] <= high)).all(-1)
    iou = d.box_iou(box[:, None], annotated[None])
    rows, columns = linear_sum_assignment(-(inside * (1.0 + iou)))
    pairs = inside[rows, columns]
    rows, columns = rows[pairs], columns[pairs]
    has_hand, has_box = np.zeros(len(annotated)), np.zeros(len(middle))
    has_hand[columns], has_box[rows] = 1.0, 1.0
    return has_hand, iou[rows, columns], has_box


def match_objects(
    predicted: Float[np.ndarray, "T P 4"], annotated: Float[np.ndarray, "T O 4"]
) -> Float[np.ndarray, "O"]:
    """Mean overlap of each annotated object's boxes with the predicted object that it is given, one to one."""
    there = np.isfinite(annotated).all(-1)
    iou = np.nan_to_num(d.box_iou(predicted[:, :, None], annotated[:, None]))
    mean = (iou * there[:, None]).sum(0) / np.maximum(there.sum(0), 1)
    out = np.zeros(annotated.shape[1])
    rows, columns = linear_sum_assignment(-mean)
    out[columns] = mean[rows, columns]
    return out

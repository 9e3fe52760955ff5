"""Overlays: joints, object meshes, boxes and states over the clip's frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.compute as pc
from jaxtyping import UInt8

from hoiset import video
from hoiset.errors import DatasetError
from hoiset.geometry import project, transform
from hoiset.shards.glb import decode_objects
from hoiset.shards.index import read_index
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.schema import HandSource, ObjectSource, ObjectState, Sample

HAND_COLOURS = ((66, 135, 245), (245, 158, 66))
OBJECT_COLOURS = (
    (64, 200, 96),
    (225, 87, 190),
    (240, 220, 70),
    (80, 210, 225),
    (235, 100, 80),
    (150, 120, 240),
    (170, 205, 90),
    (240, 240, 240),
)
_BONES = tuple((0 if j % 4 == 1 else j - 1, j) for j in range(1, 21))
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_overlay(
    sample: Sample, rgb: UInt8[np.ndarray, "T H W 3"], *, words: bool = True
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Draw a sample over its frames, one at a time.

    Hands are skeletons (blue left, orange right; thin where infilled), projected from the 3D joints. Objects are the
    outlines of their projected meshes with label, state and, where a hand is near, the contact distance.

    Args:
        sample: Members of the core layer.
        rgb: Frames of its ``rgb.mp4``.
        words: Whether to write what is drawn next to it.
    """
    clip: dict[str, Any] = sample["clip.json"]
    K = np.array(clip["camera"]["K"], float)
    meshes = [(np.asarray(m.vertices, float), np.asarray(m.faces)) for m in decode_objects(sample["objects.glb"])]
    title = " | ".join(str(x) for x in (clip["key"], clip["text"]["action"] or "") if x)
    for t, frame in enumerate(rgb):
        image = frame.copy()
        unit = max(1, round(min(image.shape[:2]) / 360))
        for o, (vertices, faces) in enumerate(meshes):
            if sample["object_source.npy"][t, o] != ObjectSource.ABSENT:
                _draw_object(image, sample, clip, K, t, o, vertices, faces, unit, words)
        for h in range(2):
            if sample["hand_source.npy"][t, h] != HandSource.ABSENT:
                _draw_hand(image, sample, K, t, h, unit, words)
        if words:
            _text(image, f"{title}  {sample['time.npy'][t]:.2f} s", (6 * unit, 14 * unit), (255, 255, 255), unit)
        yield image


def _draw_hand(image: np.ndarray, sample: Sample, K: np.ndarray, t: int, h: int, unit: int, words: bool) -> None:
    pixels = project(K, sample["hand_joints.npy.gz"][t, h].astype(float))
    if np.isnan(pixels).any():
        return
    observed = sample["hand_source.npy"][t, h] == HandSource.OBSERVED
    points = np.round(np.clip(pixels, -1e4, 1e4)).astype(int)
    for a, b in _BONES:
        cv2.line(
            image, points[a].tolist(), points[b].tolist(), HAND_COLOURS[h], 2 * unit if observed else unit, cv2.LINE_AA
        )
    for point in points:
        cv2.circle(image, point.tolist(), 2 * unit, (255, 255, 255), -1, cv2.LINE_AA)
    depth = sample["hand_joints.npy.gz"][t, h, 0, 2]
    if words:
        _text(image, f"{'LR'[h]} {depth:.2f} m", (points[0] + [4 * unit, 10 * unit]).tolist(), HAND_COLOURS[h], unit)


def _draw_object(
    image: np.ndarray,
    sample: Sample,
    clip: dict[str, Any],
    K: np.ndarray,
    t: int,
    o: int,
    vertices: np.ndarray,
    faces: np.ndarray,
    unit: int,
    words: bool,
) -> None:
    pixels = project(K, transform(sample["object_pose.npy.gz"][t, o].astype(float), vertices))
    if np.isnan(pixels).any() or np.abs(pixels).max() > 1e4:
        return
    mask = np.zeros(image.shape[:2], np.uint8)
    for triangle in np.round(pixels[faces]).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, 1)
    colour = OBJECT_COLOURS[o]
    inside = mask > 0
    image[inside] = (0.75 * image[inside] + 0.25 * np.array(colour)).astype(np.uint8)
    outline, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(image, outline, -1, colour, unit, cv2.LINE_AA)
    if not words:
        return
    low, high = pixels.min(0), pixels.max(0)
    cv2.rectangle(image, np.round(low).astype(int).tolist(), np.round(high).astype(int).tolist(), colour, 1)
    state = ObjectState(int(sample["object_state.npy"][t, o])).name.lower()
    source = ObjectSource(int(sample["object_source.npy"][t, o])).name.lower()
    near = (
        np.nanmin(sample["contact.npy.gz"][t, :, o]) if np.isfinite(sample["contact.npy.gz"][t, :, o]).any() else np.inf
    )
    contact = f" {100 * near:.0f} cm" if near < 0.1 else ""
    label = f"{clip['objects'][o]['label']}: {state} ({source}){contact}"
    _text(image, label, (int(low[0]), int(low[1]) - 4 * unit), colour, unit)


def _text(
    image: np.ndarray, text: str, at: tuple[int, int] | list[int], colour: tuple[int, int, int], unit: int
) -> None:
    printable = text.encode("ascii", "replace").decode()
    x, y = max(0, int(at[0])), max(12 * unit, int(at[1]))
    cv2.putText(image, printable, (x, y), _FONT, 0.4 * unit, (0, 0, 0), 3 * unit, cv2.LINE_AA)
    cv2.putText(image, printable, (x, y), _FONT, 0.4 * unit, colour, unit, cv2.LINE_AA)


def contact_sheet(
    sample: Sample, rgb: UInt8[np.ndarray, "T H W 3"], *, columns: int = 4, rows: int = 2, width_px: int = 480
) -> UInt8[np.ndarray, "h w 3"]:
    """A grid of evenly spaced overlay frames."""
    picked = np.linspace(0, len(rgb) - 1, columns * rows).round().astype(int)
    part: dict[str, Any] = {k: v[picked] if isinstance(v, np.ndarray) else v for k, v in sample.items()}
    tiles = []
    for image in draw_overlay(part, rgb[picked]):
        height = round(image.shape[0] * width_px / image.shape[1])
        tiles.append(cv2.resize(image, (width_px, height), interpolation=cv2.INTER_AREA))
    return np.vstack([np.hstack(tiles[r * columns : (r + 1) * columns]) for r in range(rows)])


def write_overlay(root: Path, version: str, key: str, out_path: Path) -> None:
    """Draw one clip of a dataset directory.

    Args:
        root: Dataset directory.
        version: Such as ``v2``.
        key: Of the clip.
        out_path: ``.mp4`` for the whole clip, ``.png`` or ``.jpg`` for a sheet of eight frames.

    Raises:
        DatasetError: No such clip, or no video layer.
        ValueError: Another suffix.
    """
    table = read_index(root, version)
    found = table.filter(pc.field("key") == key).to_pylist()
    if not found:
        some = ", ".join(table["key"].to_pylist()[:5])
        raise DatasetError(f"no clip {key!r} in {version} of {root}; there are {table.num_rows}, such as {some}")
    sample = read_sample(ShardReader(root), found[0]["members"])
    if "rgb.mp4" not in sample:
        raise DatasetError(f"{root} has no video layer of {version}; an overlay needs its frames")
    rgb, time = video.decode_mp4_bytes(bytes(sample["rgb.mp4"]))
    suffix = out_path.suffix.lower()
    if suffix == ".mp4":
        out_path.write_bytes(video.encode_mp4(draw_overlay(sample, rgb), time))
    elif suffix in (".png", ".jpg"):
        ok, data = cv2.imencode(suffix, contact_sheet(sample, rgb)[..., ::-1])
        if not ok:
            raise DatasetError(f"the overlay of {key} could not be encoded as {suffix}")
        out_path.write_bytes(data.tobytes())
    else:
        raise ValueError(f"found {out_path.name!r}, expected a name that ends in .mp4, .png or .jpg")

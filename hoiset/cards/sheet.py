"""The card's contact sheet: what was reconstructed, over footage that may be shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import UInt8

from hoiset.errors import MissingDependency, VideoError
from hoiset.shards.index import read_index
from hoiset.shards.licences import terms
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.schema import HandSource, ObjectSource, ObjectState, members

MOST_CLIPS = 24
COLUMNS = 4
TILE = (400, 225)
"""Width and height of a picture, px."""
CAPTION_PX = 36
QUALITY = 88
_BACKGROUND = (17, 21, 26)
_INK = (230, 233, 237)
_VIDEO = "rgb.mp4"


@dataclass(frozen=True)
class Shown:
    """The clips whose footage a card shows, where there is footage.

    Attributes:
        keys: In the order of the sheet.
        permitted: Clips of the version whose licence permits to show pictures of them.
        total: Clips of the version.
        has_video: Whether the version has footage at all.
    """

    keys: tuple[str, ...]
    permitted: int
    total: int
    has_video: bool


def choose(index: pa.Table) -> Shown:
    """Choose the clips of a sheet, whatever their order in the index.

    Of the clips whose licence permits to pass pictures of the footage on, the best of each verb come first, verbs in
    the order of their frequency; then the second best of each, and so on, as many as fill their rows.

    Args:
        index: Of the version.
    """
    layers = set(pc.struct_field(pc.list_flatten(index["members"]), "layer").unique().to_pylist())
    licences = {x: terms(x).pictures for x in index["licence"].unique().to_pylist()}
    columns = index.select(["key", "verb", "quality", "licence", "n_objects"]).to_pylist()
    permitted = [row for row in columns if licences[row["licence"]]]
    by_verb: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(permitted, key=lambda r: (not r["n_objects"], -(r["quality"] or 0.0), r["key"])):
        by_verb.setdefault(row["verb"] or "", []).append(row)
    in_order = sorted(by_verb, key=lambda verb: (not verb, -len(by_verb[verb]), verb))
    depth = max(map(len, by_verb.values()), default=0)
    keys = [by_verb[verb][i]["key"] for i in range(depth) for verb in in_order if i < len(by_verb[verb])]
    shown = min(len(keys), MOST_CLIPS)
    shown -= shown % COLUMNS if shown > COLUMNS else 0
    return Shown(tuple(keys[:shown]), len(permitted), index.num_rows, "video" in layers)


def draw_sheet(root: Path, version: str, *, bring: Callable[[str], None] | None = None) -> bytes | None:
    """Draw the sheet.

    Args:
        root: Dataset root, with the index.
        version: Name of the version.
        bring: Called with the path of a shard that must be in ``root`` now, where they are kept elsewhere.

    Returns:
        JPEG bytes, equal for equal data; ``None`` where no clip may be shown.

    Raises:
        MissingDependency: OpenCV is not installed.
        DatasetError: A shard cannot be read.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingDependency("the card's pictures need opencv: pip install 'hoiset[build]'") from error
    index = read_index(root, version)
    shown = choose(index)
    if not shown.keys or not shown.has_video:
        return None
    rows = {row["key"]: row for row in index.filter(pc.is_in(index["key"], pa.array(shown.keys))).to_pylist()}
    tiles = []
    names = (*(m.name for m in members("core")), _VIDEO)
    with ShardReader(root) as reader:
        for key in shown.keys:
            if bring is not None:
                for shard in dict.fromkeys(m["shard"] for m in rows[key]["members"] if m["member"] in names):
                    bring(shard)
            tiles.append(_tile(rows[key], read_sample(reader, rows[key]["members"], names)))
    columns = min(COLUMNS, len(tiles))
    sheet = np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(sheet[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes()


def _tile(row: Mapping[str, Any], sample: dict[str, Any]) -> UInt8[np.ndarray, "h w 3"]:
    """A frame with hands and meshes, blank where it cannot be decoded, and the clip's words below it."""
    import cv2

    tile, image = _blank(), _picture(sample)
    if image is not None:
        scale = min(TILE[0] / image.shape[1], TILE[1] / image.shape[0])
        width, height = (max(1, round(n * scale)) for n in (image.shape[1], image.shape[0]))
        x, y = (TILE[0] - width) // 2, (TILE[1] - height) // 2
        tile[y : y + height, x : x + width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    words = " ".join(filter(None, [row["verb"], ", ".join(x for x in dict.fromkeys(row["labels"]) if x)])) or row["key"]
    printable = "".join(c if c.isascii() and c.isprintable() else "?" for c in words)
    most = 36
    printable = printable if len(printable) <= most else printable[: most - 3] + "..."
    at = (10, TILE[1] + CAPTION_PX - 12)
    cv2.putText(tile, printable, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, _INK, 1, cv2.LINE_AA)
    return tile


def _picture(sample: dict[str, Any]) -> UInt8[np.ndarray, "H W 3"] | None:
    from hoiset import video
    from hoiset.view.overlay import draw_overlay

    t = telling_frame(sample)
    try:
        picture = next(islice(video.iter_pictures(bytes(sample[_VIDEO])), t, None), None)
    except VideoError:
        return None
    if picture is None:
        return None
    part = {name: v[t : t + 1] if isinstance(v, np.ndarray) else v for name, v in sample.items()}
    (image,) = draw_overlay(part, picture.rgb()[None], words=False)
    return image


def _blank() -> UInt8[np.ndarray, "h w 3"]:
    return np.full((TILE[1] + CAPTION_PX, TILE[0], 3), _BACKGROUND, np.uint8)


def telling_frame(sample: Mapping[str, Any]) -> int:
    """The frame that shows most: hands that were seen, objects with a pose, and grasps; the middle one of equals."""
    hands = (sample["hand_source.npy"] == HandSource.OBSERVED).sum(1)
    objects = (sample["object_source.npy"] != ObjectSource.ABSENT).sum(1)
    grasped = (sample["object_state.npy"] >= ObjectState.GRASPED_LEFT).any(1)
    told = 2 * hands + objects + 2 * grasped
    best = np.flatnonzero(told == told.max())
    return int(best[len(best) // 2])

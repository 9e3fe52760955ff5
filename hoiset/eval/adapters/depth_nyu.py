"""Indoor photographs with metric depth (``depth_nyu/``), from NYU Depth V2 (Silberman et al., ECCV 2012).

**Units and frames in the files:** depth is uint16, divided by ``depth_scale`` (1000) gives m along the optical axis, 0
is unknown (a quarter to a third of the pixels, mostly near the edges); intrinsics fx, fy, cx, cy in px. Colour and
depth are aligned. The photographs have a white frame of 6 to 8 px, left by undistortion, in which depth is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float, UInt8

from hoiset.errors import DatasetError
from hoiset.eval.adapters.files import existing, number, read_gray16, read_image, read_json


@dataclass(frozen=True)
class DepthImage:
    """A photograph with depth.

    Attributes:
        name: Of the photograph's file.
        rgb: (H, W, 3).
        depth_m: (H, W) along the optical axis, NaN where unknown.
        K: (3, 3) px.
    """

    name: str
    rgb: UInt8[np.ndarray, "H W 3"]
    depth_m: Float[np.ndarray, "H W"]
    K: Float[np.ndarray, "3 3"]


def read_depth_nyu(folder: Path) -> tuple[DepthImage, ...]:
    """Read all photographs, in the order of the annotations.

    Raises:
        DatasetError: A file is missing or malformed, or colour and depth differ in size.
    """
    path = existing(folder, "test_annotations.json")
    value = read_json(path)
    try:
        return tuple(_image(folder, entry, path) for entry in value["files"])
    except (KeyError, TypeError) as error:
        raise DatasetError(f"found {path} without files, rgb, depth, depth_scale or cam_in: {error!r}") from error


def _image(folder: Path, entry: dict[str, object], path: Path) -> DepthImage:
    # The names start with the folder of the demo that they come from; kind of picture and file name are what counts.
    rgb_path, depth_path = (
        existing(folder, "/".join(PurePosixPath(str(entry[k])).parts[-2:])) for k in ("rgb", "depth")
    )
    rgb, depth = read_image(rgb_path), read_gray16(depth_path)
    if rgb.shape[:2] != depth.shape:
        raise DatasetError(f"found {rgb_path} of {rgb.shape[:2]} and depth of {depth.shape}, expected one size")
    scale = number(entry["depth_scale"], str(path))
    camera = entry["cam_in"]
    if not isinstance(camera, list) or len(camera) != 4 or not scale > 0:
        raise DatasetError(f"found cam_in {camera!r}, depth_scale {scale} in {path}, expected fx, fy, cx, cy and > 0")
    fx, fy, cx, cy = (number(x, str(path)) for x in camera)
    K = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    return DepthImage(rgb_path.name, rgb, np.where(depth > 0, depth / scale, np.nan), K)

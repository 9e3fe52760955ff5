"""Real crops of one hand with 21 metric joints (``hands_real/``).

**Units and frames in the files:** joints in cm, camera frame (x right, y down, z forward), order wrist, thumb, index,
middle, ring, little; intrinsics fx, fy, cx, cy in px of the 256x256 crop. All are left hands without an object. The
principal point belongs to the crop and may lie outside of it. Independent images: there is no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hoiset.errors import DatasetError
from hoiset.eval.adapters.files import existing, read_arrays


@dataclass(frozen=True)
class RealHands:
    """Images of left hands and their joints.

    Attributes:
        images: N paths of 256x256 JPEG images; read them with :func:`~hoiset.eval.adapters.read_image`.
        joints: (N, 21, 3) m, camera frame.
        K: (N, 3, 3) px, one camera an image.
    """

    images: tuple[Path, ...]
    joints: Float[np.ndarray, "N 21 3"]
    K: Float[np.ndarray, "N 3 3"]


def read_hands_real(folder: Path) -> RealHands:
    """Read the set; images are found but not opened.

    Raises:
        DatasetError: A file is missing or malformed, or a joint is not in front of the camera.
    """
    path = existing(folder, "gt.npz")
    arrays = read_arrays(path, {"joints_cm": (None, 21, 3), "K_fxfycxcy": (None, 4), "files": (None,)})
    joints = arrays["joints_cm"].astype(np.float64) / 100.0
    camera = arrays["K_fxfycxcy"].astype(np.float64)
    if not np.isfinite(joints).all() or not np.isfinite(camera).all() or not (joints[..., 2] > 0).all():
        raise DatasetError(f"found {path} with joints or cameras that are not finite or not in front of the camera")
    K = np.zeros((len(camera), 3, 3))
    K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2], K[:, 2, 2] = *camera.T, 1.0
    return RealHands(tuple(existing(folder, str(name)) for name in arrays["files"]), joints, K)

"""Small pictures of a few spans, decoded again: a span is shown by its beginning, its middle and its end."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hoiset.errors import VideoError
from hoiset.video import iter_frames

HEIGHT_PX = 108
_AT = (0.1, 0.5, 0.9)
_QUALITY = 72


def thumbnail(path: Path, start_s: float, end_s: float) -> bytes | None:
    """Three frames of a span side by side as JPEG, or ``None`` where the video is not here or cannot be decoded."""
    if path == Path() or not path.is_file():
        return None
    frames = []
    for share in _AT:
        at_s = start_s + share * (end_s - start_s)
        try:
            _, rgb = next(iter_frames(path, start_s=at_s, short_side_px=2 * HEIGHT_PX))
        except (VideoError, StopIteration):
            continue
        width = max(1, round(rgb.shape[1] * HEIGHT_PX / rgb.shape[0]))
        frames.append(cv2.resize(rgb, (width, HEIGHT_PX), interpolation=cv2.INTER_AREA))
    if not frames:
        return None
    strip = np.hstack(frames)
    done, jpeg = cv2.imencode(".jpg", strip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return jpeg.tobytes() if done else None

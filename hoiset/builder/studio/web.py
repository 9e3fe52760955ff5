"""Video as it is shared: long groups of pictures, B-frames, a low bitrate."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from jaxtyping import UInt8

_LONGEST_GOP_S = 5.0


def encode_web(frames: UInt8[np.ndarray, "T H W 3"], rate_hz: float, crf: int) -> bytes:
    """Encode frames of a constant rate as sites that share videos do: H.264 in MP4, yuv420p, BT.709.

    The same frames give the same bytes.

    Args:
        frames: Of even height and width.
        rate_hz: Frame rate.
        crf: Constant rate factor, 0 (lossless) .. 51.
    """
    rate = Fraction(rate_hz).limit_denominator(1001)
    reformatter = VideoReformatter()
    with tempfile.TemporaryDirectory(prefix="hoiset-") as folder:
        path = Path(folder) / "video.mp4"  # the index is moved to the front in a second pass, which needs a real file
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as out:
            gop = max(1, round(_LONGEST_GOP_S * rate_hz))
            options = {  # one thread and no mbtree: neither is reproducible otherwise
                "crf": str(crf),
                "preset": "veryfast",
                "flags": "+bitexact",
                "x264-params": f"keyint={gop}:bframes=3:threads=1:mbtree=0",
            }
            stream = out.add_stream("libx264", rate=rate, options=options)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
            context = stream.codec_context
            context.color_range, context.colorspace = ColorRange.MPEG, 1  # AVCOL_SPC_BT709
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
            for k, image in enumerate(frames):
                frame = reformatter.reformat(
                    VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"),
                    format="yuv420p",
                    dst_colorspace=Colorspace.ITU709,
                    dst_color_range=ColorRange.MPEG,
                    threads=1,
                )
                frame.pts, frame.time_base = k, 1 / rate
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        return path.read_bytes()

"""Video in and out: real time stamps, display orientation, exact seeks, deterministic H.264.

**Convention:** frames are (H, W, 3) uint8 RGB, upright as a player shows them, with square pixels, and of even height
and width. Times are seconds after the first frame of the video stream, taken from the file's own time stamps: nothing
assumes a constant frame rate.
"""

from hoiset.video.decode import Picture, decode_mp4_bytes, iter_frames, iter_pictures, read_frames, sample_frames
from hoiset.video.encode import encode_mp4
from hoiset.video.lossless import decode_lossless, encode_lossless
from hoiset.video.probing import VideoProbe, count_frames, probe
from hoiset.video.sample_tables import FrameTable, read_frame_table, read_lossless_table

__all__ = [
    "FrameTable",
    "Picture",
    "VideoProbe",
    "count_frames",
    "decode_lossless",
    "decode_mp4_bytes",
    "encode_lossless",
    "encode_mp4",
    "iter_frames",
    "iter_pictures",
    "probe",
    "read_frame_table",
    "read_frames",
    "read_lossless_table",
    "sample_frames",
]

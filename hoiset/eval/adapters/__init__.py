"""Real ground truth as typed records: one file a data set.

Nothing here is copied into a dataset or redistributed; every reader takes the folder that holds the data. Records are
in the schema's terms: metres, seconds, pixels, OpenCV camera frames, hands axis 0 = left and 1 = right, 21 joints from
wrist to finger tips. What a data set does not say is absent (NaN, ``None``), never guessed.
"""

from hoiset.eval.adapters.arctic import ArcticRecording, read_arctic
from hoiset.eval.adapters.boxes import BoxedClip, read_boxes
from hoiset.eval.adapters.depth_nyu import DepthImage, read_depth_nyu
from hoiset.eval.adapters.files import read_image
from hoiset.eval.adapters.hands_real import RealHands, read_hands_real
from hoiset.eval.adapters.hot3d import Hot3dRecording, read_hot3d
from hoiset.eval.adapters.trajectory import Trajectory, trajectory_members

__all__ = [
    "ArcticRecording",
    "BoxedClip",
    "DepthImage",
    "Hot3dRecording",
    "RealHands",
    "Trajectory",
    "read_arctic",
    "read_boxes",
    "read_depth_nyu",
    "read_hands_real",
    "read_hot3d",
    "read_image",
    "trajectory_members",
]

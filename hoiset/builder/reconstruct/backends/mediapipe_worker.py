# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["mediapipe==0.10.21", "numpy<2", "opencv-contrib-python-headless>=4.10,<4.12"]
#
# [tool.uv]
# override-dependencies = [
#   "opencv-contrib-python; sys_platform == 'never'",
#   "jax; sys_platform == 'never'",
#   "jaxlib; sys_platform == 'never'",
#   "sentencepiece; sys_platform == 'never'",
# ]
# ///
"""MediaPipe behind two pipes: hands and people in frames.

Runs under ``uv run --script`` in an environment of its own (MediaPipe 0.10.21 wants numpy 1), never inside the package;
it speaks ``hoiset/builder/engine/wire.py``. The overrides drop what only MediaPipe's language models and windows need.
"""

import hashlib
import json
import os
import struct
import sys
from pathlib import Path

# Libraries print to fd 1 at will: the protocol keeps a private copy, and fd 1 becomes stderr before any is imported.
PIPE_IN = os.fdopen(os.dup(0), "rb", buffering=1 << 20)
PIPE_OUT = os.fdopen(os.dup(1), "wb", buffering=0)
os.dup2(2, 1)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

import cv2  # noqa: E402
import mediapipe as mp  # noqa: E402
import numpy as np  # noqa: E402

MODELS = {
    "hands": ("palm_detection/palm_detection_full.tflite", "hand_landmark/hand_landmark_full.tflite"),
    "person": ("selfie_segmentation/selfie_segmentation.tflite",),
}


class Hands:
    """Hands in frames: landmarks in pixels, the model's metric joints, handedness and score."""

    def __init__(self, video, max_hands, min_detection, min_tracking):
        self.video = video
        self.graph = mp.solutions.hands.Hands(
            static_image_mode=not video,
            max_num_hands=max_hands,
            model_complexity=1,
            min_detection_confidence=min_detection,
            min_tracking_confidence=min_tracking,
        )

    def __call__(self, frame):
        """Answer one frame."""
        return stack(look(self.graph, frame))

    def close(self):
        """Free the model."""
        self.graph.close()


def look(graph, frame):
    """Hands that one graph sees in one frame: a list of (landmarks_px, world_m, right_probability, score)."""
    seen = graph.process(frame)
    height, width = frame.shape[:2]
    found = []
    for flat, world, side in zip(
        seen.multi_hand_landmarks or (), seen.multi_hand_world_landmarks or (), seen.multi_handedness or (), strict=True
    ):
        # Normalized coordinates run from edge to edge; pixel (0, 0) is the centre of the first one.
        px = np.array([[p.x * width - 0.5, p.y * height - 0.5] for p in flat.landmark])
        m = np.array([[p.x, p.y, p.z] for p in world.landmark])
        label, score = side.classification[0].label, side.classification[0].score
        # The model was made for mirrored selfies: what it calls "Left" is, in an image as it is, a right hand.
        found.append((px, m, score if label == "Left" else 1.0 - score, score))
    return found


def stack(found):
    """Arrays of a list of hands."""
    return {
        "landmarks_px": np.array([f[0] for f in found], "<f4").reshape(-1, 21, 2),
        "world_m": np.array([f[1] for f in found], "<f4").reshape(-1, 21, 3),
        "right_probability": np.array([f[2] for f in found], "<f4"),
        "score": np.array([f[3] for f in found], "<f4"),
    }


class Person:
    """Probability of a person, 0..255 at the frame's size."""

    def __init__(self):
        self.graph = mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)

    def __call__(self, frame):
        """Answer one frame."""
        mask = self.graph.process(frame).segmentation_mask
        return {"person": np.clip(np.rint(mask * 255.0), 0, 255).astype(np.uint8)}

    def close(self):
        """Free the model."""
        self.graph.close()


OPERATIONS = {"hands": Hands, "person": Person}


def weights_digest(names):
    """sha256 over the named model files."""
    digest = hashlib.sha256()
    for name in names:
        digest.update((Path(mp.__file__).parent / "modules" / name).read_bytes())
    return digest.hexdigest()


def send(header, arrays=None):
    """Write one message."""
    arrays = {k: np.ascontiguousarray(v) for k, v in (arrays or {}).items()}
    header["arrays"] = [{"name": k, "dtype": v.dtype.str, "shape": v.shape} for k, v in arrays.items()]
    head = json.dumps(header).encode()
    for data in (struct.pack("<I", len(head)) + head, *(v.tobytes() for v in arrays.values())):
        view = memoryview(data)
        while view:
            view = view[PIPE_OUT.write(view) :]


def read_exactly(n):
    """The next n bytes; ends the process where the other side is gone."""
    data = bytearray(n)
    view, at = memoryview(data), 0
    while at < n:
        got = PIPE_IN.readinto(view[at:])
        if not got:
            sys.exit(0)
        at += got
    return data


def receive():
    """Read one message: its header and its arrays."""
    (n,) = struct.unpack("<I", read_exactly(4))
    header = json.loads(bytes(read_exactly(n)))
    arrays = {}
    for spec in header["arrays"]:
        dtype = np.dtype(spec["dtype"])
        data = read_exactly(int(np.prod(spec["shape"])) * dtype.itemsize)
        arrays[spec["name"]] = np.frombuffer(data, dtype).reshape(spec["shape"])
    return header, arrays


def main():
    """Serve requests until stdin ends."""
    cv2.setNumThreads(1)
    digests = {op: weights_digest(files) for op, files in MODELS.items()}
    send({"op": "hello", "name": "mediapipe", "version": mp.__version__, "digests": digests})
    operation = None
    while True:
        header, arrays = receive()
        try:
            if header["op"] == "begin":
                operation = OPERATIONS[header["name"]](**header["options"])
            elif header["op"] == "frame":
                send({"op": "reply"}, operation(arrays["frame"]))
            else:
                operation.close()
                operation = None
                send({"op": "done"})
        except Exception as e:  # noqa: BLE001 (whatever the model throws is the caller's to report)
            send({"op": "error", "detail": f"{type(e).__name__}: {e}"})


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        sys.exit(0)

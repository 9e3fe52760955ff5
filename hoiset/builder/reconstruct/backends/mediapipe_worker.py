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

# Last, so that nothing beside this file can shadow a library: mediapipe.py is a neighbour.
sys.path.append(str(Path(__file__).parent))

import cv2  # noqa: E402
import mediapipe as mp  # noqa: E402
import numpy as np  # noqa: E402
from mediapipe.python import resource_util  # noqa: E402
from mediapipe_eyes import Eyes, Hand  # noqa: E402

MODULES = Path(mp.__file__).parent / "modules"
MODELS = {
    "hands": ("palm_detection/palm_detection_full.tflite", "hand_landmark/hand_landmark_full.tflite"),
    "person": (
        "pose_detection/pose_detection.tflite",
        "pose_landmark/pose_landmark_full.tflite",
        "selfie_segmentation/selfie_segmentation_landscape.tflite",
    ),
}
MIN_NEW_PRESENCE = 0.7
MIN_SIZE_RATIO = 0.45
SIZES_KEPT = 60
LOOK_EVERY = (1, 1, 8)
MAX_MISSED = 6
MAX_AGAIN = 2


def views(height, width):
    """Squares that together show a frame at several scales, (centre, side), coarse and fine ones by turns."""
    short, middle = min(height, width), np.array([width, height]) / 2
    along = np.array([1.0, 0.0]) if width >= height else np.array([0.0, 1.0])
    reach = (max(height, width) - short) / 2
    full = (middle, max(height, width))
    coarse = [full, *((middle + k * reach * along, short) for k in (-1.0, 1.0, 0.0))]
    coarse.append((middle, 1.3 * max(height, width)))
    # Fine squares reach beyond the border: a hand that is cut off is easier to see with some room around it.
    fine, across = 0.6 * short, along[::-1]
    steps = [(j, k) for k in (-1.0, 1.0, -1 / 3, 1 / 3) for j in (-0.5, 0.5)]
    small = [(middle + k * (reach + 0.25 * short) * along + j * 0.5 * short * across, fine) for j, k in steps]
    return [view for i in range(40) for view in (coarse[i % 5], small[i % 8])]


class Hands:
    """Hands in frames, by looking for palms and following the hands found."""

    def __init__(self, video, max_hands):
        self.video, self.max_hands, self.eyes = video, max_hands, Eyes.open()
        self.tracks, self.index, self.looks, self.sizes, self.lost = [], 0, 0, [], None

    def __call__(self, frame):
        """Answer one frame."""
        height, width = frame.shape[:2]
        squares = views(height, width)
        if not self.video:
            hands = self.add(frame, [], squares[0])
        else:
            hands = self.follow(frame)
            # With two hands in view a third is rare; with fewer, the next look may find the missing one.
            if self.index % LOOK_EVERY[min(sum(h.missed == 0 for h in hands), 2)] == 0:
                # Every third look goes to where a hand was last seen: most come back where they went.
                again = self.lost is not None and self.looks % 3 == 2
                near = (self.lost.palm, 4.0 * self.lost.usual) if again else squares[self.looks % len(squares)]
                hands = self.add(frame, hands, near)
                self.looks += 1
            self.tracks, self.index = hands, self.index + 1
            self.sizes = [*self.sizes, *(h.size for h in hands if h.missed == 0)][-SIZES_KEPT:]
        return stack([h for h in hands if h.missed == 0])

    def follow(self, frame):
        """The hands of the frame before, where they are now; those just lost are looked for around their place."""
        kept = []
        for old in sorted(self.tracks, key=lambda h: (h.missed, -h.score)):
            new = None
            if old.missed == 0:
                looks = (self.eyes.hand(frame, *old.region(shift)) for shift in (old.velocity, (0.0, 0.0)))
                new = next((h for h in looks if old.becomes(h)), None)
            if new is None:
                regions = self.eyes.palms(frame, old.palm, 3.0 * old.size)
                new = next((h for h in (self.eyes.hand(frame, *r) for r in regions[:2]) if old.becomes(h)), None)
                new = new or (self.eyes.again(frame, old) if old.missed < MAX_AGAIN else None)
            if new is None:
                old.missed += 1
                kept += [old] if old.missed <= MAX_MISSED else []
                self.lost = old
            elif not any(new.same_as(k) for k in kept if k.missed == 0):
                kept.append(new.after(old))
        return kept

    def add(self, frame, hands, square):
        """The hands, and those that a look at a square adds."""
        for region in self.eyes.palms(frame, *square):
            alive = [h for h in hands if h.missed == 0]
            if len(alive) >= self.max_hands:
                break
            if any(np.linalg.norm(region[0] - h.region()[0]) < 0.25 * h.size for h in alive):
                continue
            new = self.eyes.hand(frame, *region)
            # A second pass over its own landmarks centres the region, as tracking would in the next frame.
            new = (self.eyes.hand(frame, *new.region()) or new) if new else None
            if new and self.video and (new.score < MIN_NEW_PRESENCE or self.dwarf(new)):
                continue
            if new and not any(new.same_as(h) for h in alive):
                hands = [h for h in hands if h.missed == 0 or not new.same_as(h)] + [new]
        return hands

    def dwarf(self, new):
        """Whether a hand is too small to belong to whom the hands of the last frames belong to."""
        return bool(self.sizes) and new.size < MIN_SIZE_RATIO * np.median(self.sizes)

    def close(self):
        """Nothing to free: the networks stay for the next request."""


class Fill:
    """Follows known hands into frames that lack them, in the order in which the frames come (backward, as a rule)."""

    def __init__(self, max_hands):
        self.max_hands, self.eyes, self.before = max_hands, Eyes.open(), []

    def __call__(self, frame, known):
        """Answer one frame: the hands besides those known (n, 21, 2) px."""
        here = [Hand(px + 0.5, None, 0.5, 1.0) for px in known.astype(float)]
        added = []
        for old in self.before:
            if len(here) + len(added) >= self.max_hands or any(old.same_as(h) for h in here):
                continue
            new = self.eyes.hand(frame, *old.region())
            new = new if old.becomes(new) else self.eyes.again(frame, old)
            if new is not None and not any(new.same_as(h) for h in here + added):
                added.append(new.after(old))
        self.before = here + added
        return stack(added)

    def close(self):
        """Nothing to free: the networks stay for the next request."""


def stack(hands):
    """Arrays of a list of hands."""
    # From edge-based coordinates to pixel (0, 0) at the centre of the first pixel.
    return {
        "landmarks_px": np.array([h.px - 0.5 for h in hands], "<f4").reshape(-1, 21, 2),
        "world_m": np.array([h.world for h in hands], "<f4").reshape(-1, 21, 3),
        "right_probability": np.array([h.right for h in hands], "<f4"),
        "score": np.array([h.score for h in hands], "<f4"),
    }


class Person:
    """Probability of a person, 0..255 at the frame's size.

    The segmentation that comes with the pose model keeps held objects out. Where it finds nobody (arms alone, no trunk)
    the selfie model answers; it takes objects near people for people, so that its answer stays below one half.
    """

    def __init__(self):
        self.pose = mp.solutions.pose.Pose(
            model_complexity=1,
            smooth_landmarks=False,
            enable_segmentation=True,
            smooth_segmentation=False,
            min_detection_confidence=0.3,
        )
        self.selfie = mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=1)

    def __call__(self, frame):
        """Answer one frame."""
        mask = self.pose.process(frame).segmentation_mask
        if mask is None:
            mask = 0.49 * self.selfie.process(frame).segmentation_mask
        return {"person": np.clip(np.rint(mask * 255.0), 0, 255).astype(np.uint8)}

    def close(self):
        """Free the models."""
        self.pose.close()
        self.selfie.close()


OPERATIONS = {"hands": Hands, "fill": Fill, "person": Person}


def weights_digest(names):
    """sha256 over the named model files."""
    digest = hashlib.sha256()
    for name in names:
        digest.update((MODULES / name).read_bytes())
    return digest.hexdigest()


def send(header, arrays=None):
    """Write one message."""
    arrays = {k: np.asarray(v, order="C") for k, v in (arrays or {}).items()}
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
    resource_util.set_resource_dir(str(MODULES.parent.parent))
    digests = {op: weights_digest(files) for op, files in MODELS.items()}
    send({"op": "hello", "name": "mediapipe", "version": mp.__version__, "digests": digests})
    operation = None
    while True:
        header, arrays = receive()
        try:
            if header["op"] == "begin":
                operation = OPERATIONS[header["name"]](**header["options"])
            elif header["op"] == "frame":
                send({"op": "reply"}, operation(**arrays))
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

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
from functools import partial
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
from google.protobuf import text_format  # noqa: E402
from mediapipe.framework import calculator_pb2  # noqa: E402
from mediapipe.python import CalculatorGraph, ImageFormat, packet_creator, packet_getter, resource_util  # noqa: E402

MODULES = Path(mp.__file__).parent / "modules"
MODELS = {
    "hands": ("palm_detection/palm_detection_full.tflite", "hand_landmark/hand_landmark_full.tflite"),
    "person": (
        "pose_detection/pose_detection.tflite",
        "pose_landmark/pose_landmark_full.tflite",
        "selfie_segmentation/selfie_segmentation_landscape.tflite",
    ),
}
PALM_INPUT_PX = 192
LANDMARK_INPUT_PX = 224
MIN_PRESENCE = 0.5
MIN_NEW_PRESENCE = 0.7
MIN_SIZE_RATIO = 0.45
SIZES_KEPT = 60
MAX_GROWTH = 1.6
MAX_MISSED = 6
LOOK_EVERY = (1, 1, 8)
PALM_GRAPH = """
input_stream: "image"
output_stream: "palms"
node { calculator: "ConstantSidePacketCalculator" output_side_packet: "PACKET:complexity" node_options {
  [type.googleapis.com/mediapipe.ConstantSidePacketCalculatorOptions] { packet { int_value: 1 } } } }
node { calculator: "PalmDetectionCpu" input_stream: "IMAGE:image" input_side_packet: "MODEL_COMPLEXITY:complexity"
  output_stream: "DETECTIONS:palms" }
"""
LANDMARK_GRAPH = """
input_stream: "image"
node { calculator: "ImageToTensorCalculator" input_stream: "IMAGE:image" output_stream: "TENSORS:input" options {
  [mediapipe.ImageToTensorCalculatorOptions.ext] { output_tensor_width: 224 output_tensor_height: 224
  output_tensor_float_range { min: 0 max: 1 } } } }
node { calculator: "InferenceCalculatorCpu" input_stream: "TENSORS:input" output_stream: "TENSORS:output" options {
  [mediapipe.InferenceCalculatorOptions.ext] { model_path: "mediapipe/modules/hand_landmark/hand_landmark_full.tflite"
  delegate { xnnpack {} } } } }
node { calculator: "SplitTensorVectorCalculator" input_stream: "output"
  output_stream: "tensor0" output_stream: "tensor1" output_stream: "tensor2" output_stream: "tensor3"
  options { [mediapipe.SplitVectorCalculatorOptions.ext] {
  ranges { begin: 0 end: 1 } ranges { begin: 1 end: 2 } ranges { begin: 2 end: 3 } ranges { begin: 3 end: 4 } } } }
""" + "".join(
    f'output_stream: "{name}"\n'
    f'node {{ calculator: "TensorsToFloatsCalculator" input_stream: "TENSORS:tensor{i}"'
    f' output_stream: "FLOATS:{name}" }}\n'
    for i, name in enumerate(("landmarks", "presence", "handedness", "world"))
)
# Joints that MediaPipe's own tracking fits the next region to, and those of the palm.
REGION_JOINTS = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
PALM_JOINTS = [0, 5, 9, 13, 17]


class Graph:
    """One MediaPipe graph of one image stream: image in, named packets out."""

    def __init__(self, text, getters):
        config = text_format.Parse(text, calculator_pb2.CalculatorGraphConfig())
        self.graph, self.getters, self.out, self.clock = CalculatorGraph(graph_config=config), getters, {}, 0
        for name, getter in getters.items():
            self.graph.observe_output_stream(name, partial(self.keep, getter))
        self.graph.start_run({})

    def keep(self, getter, name, packet):
        """Called by the graph for each packet."""
        self.out[name] = getter(packet)

    def __call__(self, image):
        """Run one image through; streams that gave nothing are missing from the result."""
        self.out, self.clock = {}, self.clock + 1
        frame = packet_creator.create_image_frame(image_format=ImageFormat.SRGB, data=image)
        self.graph.add_packet_to_input_stream("image", frame.at(self.clock))
        self.graph.wait_until_idle()
        return self.out

    def close(self):
        """Free the graph."""
        self.graph.close()


class Hand:
    """One hand in one frame: px (21, 2), world (21, 3) m, right probability, presence score."""

    def __init__(self, px, world, right, score):
        self.px, self.world, self.right, self.score = px, world, right, score
        self.palm = px[PALM_JOINTS].mean(0)
        self.size = float(np.ptp(px, axis=0).max())
        self.velocity, self.missed = np.zeros(2), 0

    def same_as(self, other):
        """Whether both are one hand of the image: same joints at the same places, or palms on top of each other."""
        size = max(self.size, other.size)
        apart = np.linalg.norm(self.px - other.px, axis=1).mean()
        return apart < 0.25 * size or np.linalg.norm(self.palm - other.palm) < 0.2 * size

    def becomes(self, other):
        """Whether it may be another one a moment later, given that hands do not grow or shrink in no time."""
        return other is not None and 1 / MAX_GROWTH < other.size / max(self.size, 1e-9) < MAX_GROWTH

    def region(self, shift=(0.0, 0.0)):
        """Square to look for it in the next frame, (centre, side, rotation), as MediaPipe's own tracking has it."""
        wrist, middle = self.px[0], ((self.px[5] + self.px[13]) / 2 + self.px[9]) / 2
        rotation = np.pi / 2 - np.arctan2(wrist[1] - middle[1], middle[0] - wrist[0])
        to_image = turn(rotation)
        box = (self.px[REGION_JOINTS] - wrist) @ to_image
        low, high = box.min(0), box.max(0)
        centre = (low + high) / 2 - np.array([0.0, 0.1 * (high - low)[1]])
        return wrist + to_image @ centre + shift, 2.0 * (high - low).max(), rotation


def turn(angle):
    """(2, 2) rotation."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def cut(frame, centre, side, rotation, size, border):
    """Square of the frame resampled to size x size, and the map from its edge-based coordinates to pixels."""
    A = side / size * turn(rotation)
    b = centre - A @ np.full(2, size / 2)
    # The map takes pixel centres to pixel centres; edge-based coordinates are half a pixel larger.
    M = np.column_stack([A, b + A @ np.full(2, 0.5)])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame, M, (size, size), flags=flags, borderMode=border), A, b


class Eyes:
    """The two networks of MediaPipe Hands, each on any square of a frame; without state, so one serves all requests."""

    shared = None

    @classmethod
    def open(cls):
        """The one pair of networks of this process."""
        cls.shared = cls.shared or cls()
        return cls.shared

    def __init__(self):
        floats = packet_getter.get_float_list
        streams = ("landmarks", "presence", "handedness", "world")
        self.palm_graph = Graph(PALM_GRAPH, {"palms": packet_getter.get_proto_list})
        self.hand_graph = Graph(LANDMARK_GRAPH, {name: floats for name in streams})

    def palms(self, frame, centre, side):
        """Regions of palms in a square: a list of (centre, side, rotation), best first."""
        image, A, b = cut(frame, centre, side, 0.0, PALM_INPUT_PX, cv2.BORDER_CONSTANT)
        found = []
        for palm in self.palm_graph(image).get("palms", ()):
            box, points = palm.location_data.relative_bounding_box, palm.location_data.relative_keypoints
            wrist, middle = (np.array([points[k].x, points[k].y]) for k in (0, 2))
            rotation = np.pi / 2 - np.arctan2(wrist[1] - middle[1], middle[0] - wrist[0])
            middle_of_box = np.array([box.xmin + box.width / 2, box.ymin + box.height / 2])
            at = middle_of_box + turn(rotation) @ np.array([0.0, -0.5 * box.height])
            found.append(
                (palm.score[0], A @ (at * PALM_INPUT_PX) + b, 2.6 * max(box.width, box.height) * side, rotation)
            )
        return [f[1:] for f in sorted(found, key=lambda f: -f[0])]

    def hand(self, frame, centre, side, rotation):
        """The hand in a region, or None where there is none."""
        if not 4.0 < side < 8.0 * max(frame.shape):
            return None
        image, A, b = cut(frame, centre, side, rotation, LANDMARK_INPUT_PX, cv2.BORDER_REPLICATE)
        out = self.hand_graph(image)
        presence = float(out["presence"][0])
        if presence < MIN_PRESENCE:
            return None
        px = np.array(out["landmarks"]).reshape(21, 3)[:, :2] @ A.T + b
        world = np.array(out["world"]).reshape(21, 3)
        world[:, :2] = world[:, :2] @ turn(rotation).T
        # The model was made for mirrored selfies: what it calls left is, in an image as it is, a right hand.
        return Hand(px, world, float(out["handedness"][0]), presence)


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
        self.tracks, self.index, self.looks, self.sizes = [], 0, 0, []

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
                hands = self.add(frame, hands, squares[self.looks % len(squares)])
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
            if new is None:
                old.missed += 1
                kept += [old] if old.missed <= MAX_MISSED else []
            elif not any(new.same_as(k) for k in kept if k.missed == 0):
                step = (new.palm - old.palm) / (old.missed + 1)
                new.velocity = step * min(1.0, 0.5 * new.size / max(np.linalg.norm(step), 1e-9))
                kept.append(new)
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
            if old.becomes(new) and not any(new.same_as(h) for h in here + added):
                added.append(new)
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

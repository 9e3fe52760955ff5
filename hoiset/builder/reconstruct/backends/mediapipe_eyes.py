"""The two networks of MediaPipe Hands on any square of a frame; imported by ``mediapipe_worker.py`` alone.

It lives in the worker's environment (numpy 1, mediapipe), never in the package's.
"""

from functools import partial

import cv2
import numpy as np
from google.protobuf import text_format
from mediapipe.framework import calculator_pb2
from mediapipe.python import CalculatorGraph, ImageFormat, packet_creator, packet_getter

PALM_INPUT_PX = 192
LANDMARK_INPUT_PX = 224
MIN_PRESENCE = 0.5
MAX_GROWTH = 1.6
BRIGHT, MAX_GAIN = 200.0, 2.0
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
        self.usual = self.size

    def same_as(self, other):
        """Whether both are one hand of the image: same joints at the same places, or palms on top of each other."""
        size = max(self.size, other.size)
        apart = np.linalg.norm(self.px - other.px, axis=1).mean()
        return apart < 0.25 * size or np.linalg.norm(self.palm - other.palm) < 0.2 * size

    def becomes(self, other):
        """Whether it may be another one a moment later, given that hands do not grow or shrink in no time."""
        return other is not None and 1 / MAX_GROWTH < other.size / max(self.usual, 1e-9) < MAX_GROWTH

    def after(self, old):
        """Itself, as the one that ``old`` has become."""
        # A hand that is about to be hidden is first misread as a small one: its usual size tells.
        self.usual = 0.5 * (old.usual + self.size)
        step = (self.palm - old.palm) / (old.missed + 1)
        self.velocity = step * min(1.0, 0.5 * self.size / max(np.linalg.norm(step), 1e-9))
        return self

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


def exposed(image):
    """The image, brightened where it is dim: the networks miss hands in the dark that they see in daylight."""
    bright = np.percentile(image[::8, ::8].max(2), 95)
    gain = min(BRIGHT / max(bright, 1.0), MAX_GAIN)
    return cv2.convertScaleAbs(image, alpha=gain) if gain > 1.0 else image


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
        for palm in self.palm_graph(exposed(image)).get("palms", ()):
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
        out = self.hand_graph(exposed(image))
        presence = float(out["presence"][0])
        if presence < MIN_PRESENCE:
            return None
        px = np.array(out["landmarks"]).reshape(21, 3)[:, :2] @ A.T + b
        world = np.array(out["world"]).reshape(21, 3)
        world[:, :2] = world[:, :2] @ turn(rotation).T
        # The model was made for mirrored selfies: what it calls left is, in an image as it is, a right hand.
        return Hand(px, world, float(out["handedness"][0]), presence)

    def again(self, frame, old):
        """A hand that was lost, looked for at its place turned by quarters, and a third of its size off it; or None.

        A region is turned and centred like the hand that it was fitted to: where that was misread, or moved faster than
        was foreseen, the hand is lost although it is still there.
        """
        centre, side, rotation = old.region(old.velocity)
        turned = [(centre, side, rotation + k * np.pi / 2) for k in (1, 2, 3)]
        off = [(centre + 0.35 * old.usual * turn(k * np.pi / 2)[0], side, rotation) for k in range(4)]
        for regions in (turned, off):
            looks = [self.hand(frame, *region) for region in regions]
            seen = [h for h in looks if old.becomes(h)]
            seen = [h for h in seen if np.linalg.norm(h.palm - old.palm) < 0.5 * max(h.size, old.usual)]
            if seen:
                return max(seen, key=lambda h: h.score)
        return None

"""The records that cross the builder's borders: source -> screen -> reconstruct -> shards.

**Convention:** see :mod:`hoiset.shards.schema`. All records are frozen; arrays in them are not to be written to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True)
class SourceVideo:
    """One video file and what is said of it.

    Attributes:
        uid: Stable id within the source (folder: relative POSIX path). Partitions follow its hash.
        path: The file; ``Path()`` where it is remote and was not fetched yet.
        url: Where it came from, or ``""``.
        licence: Licence of the footage, or ``""`` when unknown.
        action: Action sentence, or ``""``.
        objects: Object nouns, in the source's own words.
        objects_source: The field that each of them was read from, or nothing where the source gives nouns as such.
        summary: A longer description, or ``""``.
        start_s: Start of the annotated span in the file, s; ``None`` = from the beginning.
        end_s: End of the annotated span, s; ``None`` = to the end.
        focal_px: Focal length in pixels of the file's own (displayed) width, if known.
        gravity: Unit gravity in the camera frame, if known.
        problem: Why it cannot be used, where the source knows already (the screen makes it ``no_video``), or ``""``.
        remote: Where the file must be fetched from, an ``https://`` address or ``youtube:`` and 11 characters; ``""``
            for a file that is there.
        sha256: Of the file's bytes, where they were hashed when it was fetched; ``""`` = not known yet.
    """

    uid: str
    path: Path
    url: str = ""
    licence: str = ""
    action: str = ""
    objects: tuple[str, ...] = ()
    summary: str = ""
    start_s: float | None = None
    end_s: float | None = None
    focal_px: float | None = None
    gravity: tuple[float, float, float] | None = None
    problem: str = ""
    remote: str = ""
    sha256: str = ""
    objects_source: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """One span that pass 1 judged.

    Attributes:
        uid: Of the source video.
        segment: Index of the span within the video, in time order.
        start_s: Start in the file, s.
        end_s: End in the file, s.
        gate: ``"ok"``, or the name of the first gate that failed.
        detail: One line that says why, for people.
        measured: Every value that a gate looked at; NaN where it was not reached.
    """

    uid: str
    segment: int
    start_s: float
    end_s: float
    gate: str
    detail: str = ""
    measured: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the span goes on to pass 2."""
        return self.gate == "ok"


@dataclass(frozen=True)
class Clip:
    """A span that will become a sample.

    Attributes:
        key: Sample key, ``[A-Za-z0-9_-]+``, unique in the dataset.
        video: Where it comes from.
        start_s: Start in the file, s.
        end_s: End in the file, s.
        partition: ``train``, ``validation`` or ``test``.
    """

    key: str
    video: SourceVideo
    start_s: float
    end_s: float
    partition: str


@dataclass(frozen=True)
class Frames:
    """The decoded frames of one clip.

    Attributes:
        rgb: (T, H, W, 3) uint8.
        time: (T,) seconds from the clip's start, strictly increasing, ``time[0] == 0``.
    """

    rgb: UInt8[np.ndarray, "T H W 3"]
    time: Float[np.ndarray, "T"]

    @property
    def fps(self) -> float:
        """Median frame rate, Hz."""
        return float(1.0 / np.median(np.diff(self.time))) if len(self.time) > 1 else 30.0


@dataclass(frozen=True)
class HandDetections:
    """What a hand detector saw, frame by frame, before any identity is decided.

    Attributes:
        landmarks_px: (T, N, 21, 2) joints in pixels of the frames given, NaN where slot n is empty.
        world_m: (T, N, 21, 3) the detector's own metric joints (camera-aligned axes, arbitrary origin), m.
        right_probability: (T, N) probability that it is the person's right hand, in the image as it is (not mirrored).
        score: (T, N) detection confidence 0..1; 0 where empty.
    """

    landmarks_px: Float[np.ndarray, "T N 21 2"]
    world_m: Float[np.ndarray, "T N 21 3"]
    right_probability: Float[np.ndarray, "T N"]
    score: Float[np.ndarray, "T N"]


@dataclass(frozen=True)
class Camera:
    """A static pinhole camera.

    Attributes:
        K: (3, 3) intrinsics in pixels of the clip's frames.
        width: px.
        height: px.
        focal_source: ``given``, or the cue it was estimated from.
        gravity: (3,) unit vector in the camera frame, NaN when unknown.
        gravity_source: ``given``, ``absent``, or the cue.
        scale_source: What makes the reconstruction metric.
    """

    K: Float[np.ndarray, "3 3"]
    width: int
    height: int
    focal_source: str
    gravity: Float[np.ndarray, "3"]
    gravity_source: str
    scale_source: str


@dataclass(frozen=True)
class Hands:
    """Two metric hands over a clip; hands axis 0 = left, 1 = right.

    Attributes:
        joints: (T, 2, 21, 3) camera frame, m; NaN where absent.
        joints_2d: (T, 2, 21, 2) px; NaN where absent.
        T_camera_wrist: (T, 2, 4, 4); NaN where absent.
        source: (T, 2) uint8, :class:`hoiset.shards.schema.HandSource`.
        score: (T, 2) 0..1.
        fallbacks: What was decided on thin evidence, for the clip's provenance.
    """

    joints: Float[np.ndarray, "T 2 21 3"]
    joints_2d: Float[np.ndarray, "T 2 21 2"]
    T_camera_wrist: Float[np.ndarray, "T 2 4 4"]
    source: UInt8[np.ndarray, "T 2"]
    score: Float[np.ndarray, "T 2"]
    fallbacks: tuple[str, ...] = ()

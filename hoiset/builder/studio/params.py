"""Parameters of the studio."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from pydantic import Field

from hoiset.builder.params import Params

ObjectKind = Literal[
    "mug", "box", "bottle", "bowl", "can", "book", "spoon", "knife", "plate", "ball", "spray_bottle", "pan"
]
OBJECT_KINDS: tuple[ObjectKind, ...] = get_args(ObjectKind)
"""The families of things."""
PART_KINDS = ("pot", "jar", "lid")
"""Things that come in pairs: a lid is made to fit the pot or jar before it."""
DEMO_KINDS: tuple[ObjectKind, ...] = OBJECT_KINDS[:4]
"""What the clips of the demo show."""

_SIZES = ((426, 240), (640, 360), (640, 480), (854, 480), (960, 540), (1280, 720))
_SIZE_SHARES = (0.12, 0.22, 0.22, 0.20, 0.11, 0.13)
_RATES_HZ = (12.0, 15.0, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60.0)
_RATE_SHARES = (0.20, 0.24, 0.18, 0.15, 0.08, 0.11, 0.02, 0.02)
_CHILD_SHARE = 0.2


class StudioParams(Params):
    """What a rendered clip looks like; whatever is not fixed here is drawn from the clip's seed.

    Attributes:
        width_px: Image width; even.
        height_px: Image height; even.
        duration_s: Length of the clip; the phases of the motion scale with it.
        own_pace: Whether the clip lasts as long as its action needs instead.
        rate_hz: Frame rate.
        action: What is done; ``None`` = drawn from the seed.
        object_kind: Which object is handled first; ``None`` = drawn from the seed.
        bystanders: Whether other things may be in view, identical copies among them.
        handedness: Which hand acts, or acts first; ``None`` = drawn from the seed.
        hand_scale: Size of the hands, 1 = wrist to middle knuckle 9.5 cm; ``None`` = an adult's, drawn from the seed.
        sleeve: Whether the forearm is covered; ``None`` = drawn from the seed.
        focal_ratio: Focal length as a share of the image's width; ``None`` = drawn from the seed.
        elevation_rad: Angle at which the camera looks down; ``None`` = drawn from the seed.
        azimuth_rad: How far it stands to the right of the table's middle; ``None`` = drawn from the seed.
        hand_in_view_fraction: Least share of a hand's joints inside the image for the hand to count as observed.
        noise_fraction: Standard deviation of the sensor noise at mid-grey, as a fraction of full scale.
        blur_fraction: Standard deviation of the optical blur, as a fraction of min(height, width).
        exposure_drift: How far the exposure strays over the clip, as a fraction.
        crf: H.264 quality of the clip's own video.
        web_crf: H.264 quality of the video as it was shared; ``None`` = the clip's own video.
    """

    width_px: int = Field(default=640, ge=32, multiple_of=2)
    height_px: int = Field(default=480, ge=32, multiple_of=2)
    duration_s: float = Field(default=3.0, ge=1.0)
    own_pace: bool = False
    rate_hz: float = Field(default=15.0, gt=0)
    action: str | None = "pick_place"
    object_kind: ObjectKind | None = None
    bystanders: bool = False
    handedness: Literal["left", "right"] | None = None
    hand_scale: float | None = Field(default=None, ge=0.6, le=1.2)
    sleeve: bool | None = None
    focal_ratio: float | None = Field(default=None, ge=0.5, le=3.0)
    elevation_rad: float | None = Field(default=None, ge=0.2, le=1.55)
    azimuth_rad: float | None = Field(default=None, ge=-1.0, le=1.0)
    hand_in_view_fraction: float = Field(default=0.5, gt=0, le=1)
    noise_fraction: float = Field(default=0.008, ge=0)
    blur_fraction: float = Field(default=0.0012, ge=0)
    exposure_drift: float = Field(default=0.0, ge=0, le=0.3)
    crf: int = Field(default=20, ge=0, le=51)
    web_crf: int | None = Field(default=None, ge=0, le=51)

    @staticmethod
    def varied(seed: int) -> StudioParams:
        """What a corpus gives the clip of a seed: other cameras, sizes, rates, hands, qualities and actions each time.

        Focal lengths are 400 to 1600 px for an image of 640 px in width, elevations 20 to 85 degrees.
        """
        draw = np.random.default_rng([seed, 8])
        size = _SIZES[int(draw.choice(len(_SIZES), p=_SIZE_SHARES))]
        child = draw.random() < _CHILD_SHARE
        return StudioParams(
            width_px=size[0],
            height_px=size[1],
            own_pace=True,
            rate_hz=_RATES_HZ[int(draw.choice(len(_RATES_HZ), p=_RATE_SHARES))],
            action=None,
            bystanders=True,
            hand_scale=float(draw.uniform(0.70, 0.86) if child else draw.uniform(0.90, 1.08)),
            focal_ratio=float(np.exp(draw.uniform(np.log(400 / 640), np.log(1600 / 640)))),
            elevation_rad=float(np.deg2rad(draw.triangular(20.0, 46.0, 85.0))),
            azimuth_rad=float(np.deg2rad(draw.uniform(-24.0, 24.0))),
            noise_fraction=float(draw.uniform(0.003, 0.018)),
            blur_fraction=float(draw.uniform(0.0006, 0.0026)),
            exposure_drift=float(draw.choice((0.0, draw.uniform(0.01, 0.08)))),
            web_crf=int(draw.integers(23, 33)),
        )

    def frame_times(self, duration_s: float) -> Float[np.ndarray, "T"]:
        """Frame times from 0 of a clip that lasts so long, s."""
        return np.arange(max(2, round(duration_s * self.rate_hz))) / self.rate_hz

    @property
    def n_frames(self) -> int:
        """Number of frames of a clip of ``duration_s``."""
        return len(self.frame_times(self.duration_s))

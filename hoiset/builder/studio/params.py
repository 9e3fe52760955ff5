"""Parameters of the studio."""

from typing import Literal, get_args

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
"""What a clip shows unless its parameters ask for more."""


class StudioParams(Params):
    """What a rendered clip looks like; whatever is not fixed here is drawn from the clip's seed.

    Attributes:
        width_px: Image width; even.
        height_px: Image height; even.
        duration_s: Length of the clip; the phases of the motion scale with it.
        rate_hz: Frame rate.
        object_kind: Which object is handled; ``None`` = drawn from the seed.
        handedness: Which hand handles it; ``None`` = drawn from the seed.
        sleeve: Whether the forearm is covered; ``None`` = drawn from the seed.
        hand_in_view_fraction: Least share of a hand's joints inside the image for the hand to count as observed.
        noise_fraction: Standard deviation of the sensor noise at mid-grey, as a fraction of full scale.
        blur_fraction: Standard deviation of the optical blur, as a fraction of min(height, width).
        crf: H.264 quality of the written video.
    """

    width_px: int = Field(default=640, ge=32, multiple_of=2)
    height_px: int = Field(default=480, ge=32, multiple_of=2)
    duration_s: float = Field(default=3.0, ge=1.0)
    rate_hz: float = Field(default=15.0, gt=0)
    object_kind: ObjectKind | None = None
    handedness: Literal["left", "right"] | None = None
    sleeve: bool | None = None
    hand_in_view_fraction: float = Field(default=0.5, gt=0, le=1)
    noise_fraction: float = Field(default=0.008, ge=0)
    blur_fraction: float = Field(default=0.0012, ge=0)
    crf: int = Field(default=20, ge=0, le=51)

    @property
    def n_frames(self) -> int:
        """Number of frames of a clip."""
        return max(2, round(self.duration_s * self.rate_hz))

"""Every number that pass 1 decides by."""

from pydantic import Field

from hoiset.builder.params import Params


class ScreenParams(Params):
    """Thresholds of pass 1, in seconds, ratios, and fractions of min(height, width).

    Attributes:
        min_clip_s: Shortest span that is worth a clip.
        max_clip_s: Longer spans are split.
        window_s: Longest stretch that is judged as one; bounds the memory for long videos.
        sample_fps: Rate at which frames are looked at for camera and hands, Hz (cuts: every frame).
        working_short_side_px: Frames are shrunk to this short side before anything is measured; results are fractions.
        cut_guard_s: Kept away from a cut on either side, since encoders and editors blend over it.
        cut_ratio: A step this many times larger than the larger steps around it is a cut.
        cut_min_step: Least mean colour step of a cut, in 8-bit Lab units.
        hard_cut_step: A step this large is a cut when the histogram changes as well, whatever happens around it.
        hard_cut_histogram: Half the L1 distance of colour histograms that goes with it, 0..1.
        max_camera_shift: Most that any point of the background may move from where it was at the span's start.
        max_unregistered_s: For this long the background may be hidden (or blurred) within a static span.
        max_black_ratio: Most of the frames that may be black.
        min_change: Least change of the picture's liveliest place from sample to sample, 0..1: a photograph has none.
        max_blur: Most blur, 0..1.
        max_split: Most sure that the picture may be two side by side or one above the other, 0..1; what neither side
            of a seam moves beside cannot be told from the edge of a table.
        max_inset: The same for a picture in the picture; permissive, for screens and frames have such edges too.
        max_text: Most of the picture that lines of text may cover; permissive, for knitwear and labels look alike.
        hand_look_s: Hands are first looked for this far apart, and all along only around the times that show one.
        min_hand_score: Detections below are not counted.
        hand_support_s: A detection counts when another one lies within this time.
        min_hand_s: Least time that hands are seen in a span.
        min_hand_ratio: Least share of the frames between first and last hand that show one.
        max_hand_gap_s: A longer time without a hand splits a span.
        hand_margin_s: Kept before the first and after the last hand, where the shot has it, as a view without hands.
        min_hand_size: Least diagonal of a hand's box, median.
        hand_outside_ratio: A hand with more than this share of its joints outside the image is cut off.
        max_cut_off_ratio: Most of the hands that may be cut off.
        min_hand_skin: Least share of the hands' pixels that are coloured like skin, in pictures that have colours; 0 =
            any, since gloves are worn at work.
        min_hand_speed: Least speed of the hands' joints in their livelier moments (90th percentile), 1/s.
        min_object_motion: Least share of the surroundings of hands that changes in the livelier moments: a hand that
            only gestures changes nothing but itself.
    """

    min_clip_s: float = Field(2.0, gt=0)
    max_clip_s: float = Field(20.0, gt=0)
    window_s: float = Field(60.0, gt=0)
    sample_fps: float = Field(5.0, gt=0)
    working_short_side_px: int = Field(360, ge=64)
    cut_guard_s: float = Field(0.1, ge=0)
    cut_ratio: float = Field(2.4, gt=1)
    cut_min_step: float = Field(1.0, gt=0)
    hard_cut_step: float = Field(18.0, gt=0)
    hard_cut_histogram: float = Field(0.5, gt=0, le=1)
    max_camera_shift: float = Field(0.01, gt=0)
    max_unregistered_s: float = Field(1.5, ge=0)
    max_black_ratio: float = Field(0.2, ge=0, le=1)
    min_change: float = Field(0.006, ge=0, le=1)
    max_blur: float = Field(0.65, ge=0, le=1)
    max_split: float = Field(0.45, ge=0, le=1)
    max_inset: float = Field(0.75, ge=0, le=1)
    max_text: float = Field(0.06, ge=0, le=1)
    hand_look_s: float = Field(0.6, gt=0)
    min_hand_score: float = Field(0.6, ge=0, le=1)
    hand_support_s: float = Field(0.5, ge=0)
    min_hand_s: float = Field(0.7, ge=0)
    min_hand_ratio: float = Field(0.4, ge=0, le=1)
    max_hand_gap_s: float = Field(2.0, ge=0)
    hand_margin_s: float = Field(1.0, ge=0)
    min_hand_size: float = Field(0.1, ge=0)
    hand_outside_ratio: float = Field(0.2, ge=0, le=1)
    max_cut_off_ratio: float = Field(0.5, ge=0, le=1)
    min_hand_skin: float = Field(0.0, ge=0, le=1)
    min_hand_speed: float = Field(0.04, ge=0)
    min_object_motion: float = Field(0.005, ge=0, le=1)

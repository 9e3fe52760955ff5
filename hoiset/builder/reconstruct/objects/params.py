"""Parameters of object discovery, tracking and posing."""

from hoiset.builder.params import Params


class ObjectParams(Params):
    """Thresholds of the object stages; times in s, lengths in fractions of min(height, width), colours in CIELAB units.

    Attributes:
        work_short_side_px: Resolution at which masks are made; results are scaled back to the clip's.
        state_rate_hz: Rate at which pixel states are analysed.
        stable_s: A pixel that keeps its colour this long is in a stable state.
        colour_noise: Colour range within a stable state.
        colour_change: Colour distance between two different states, or of foreground from background.
        shadow_ratio: A darkening to no less than this share of lightness, without a change of hue, is a shadow.
        min_anchor_s: An object must stand still this long, somewhere in the clip, to be learned.
        min_area: Smallest silhouette, as a share of the frame.
        max_area: Largest silhouette, as a share of the frame.
        max_extent_hands: Largest silhouette side, in hand sizes.
        max_person_share: A silhouette that is a person to more than this share is none.
        contact_gap_hands: A hand this close to a silhouette (in hand sizes, in the image) touches it.
        contact_window_s: How near in time to an object's leaving or arriving a hand must touch it.
        min_travel: Motion that makes an object a moved one.
        min_confidence: Least evidence, 0..1, that a followed silhouette is one object that hands move.
        stand_tolerance: A standing object may seem to be off its place by this much and still stand,
        stand_tolerance_size: and by this share of its own size (the root of its area).
        move_speed: Speed above which an object moves, per s.
        grasp_gap_hands: A hand this close (in hand sizes) can hold.
        contact_bridge_s: A touch interrupted for no longer than this is one touch.
        grasp_reach_m: Of two hands that seem to hold, one this much farther from the surface than the other does not.
        min_grasp_s: Shortest grasp.
        grasp_lead_s: A grasp begins this long before and ends this long after the motion it causes.
        track_quality: Share of the predicted silhouette that must be foreground of the object's colours.
        thickness_prior_m: Thickness given to a silhouette that is too thin to be inflated.
        max_depth_change: Largest ratio between the depths that one object takes in a clip.
        max_objects: At most this many objects.
    """

    work_short_side_px: int = 360
    state_rate_hz: float = 10.0
    stable_s: float = 0.45
    colour_noise: float = 6.0
    colour_change: float = 9.0
    shadow_ratio: float = 0.72
    min_anchor_s: float = 0.4
    min_area: float = 0.0022
    max_area: float = 0.16
    max_extent_hands: float = 4.5
    max_person_share: float = 0.8
    contact_gap_hands: float = 0.5
    contact_window_s: float = 1.0
    min_travel: float = 0.03
    min_confidence: float = 0.51
    stand_tolerance: float = 0.012
    stand_tolerance_size: float = 0.06
    move_speed: float = 0.06
    grasp_gap_hands: float = 0.4
    contact_bridge_s: float = 0.3
    grasp_reach_m: float = 0.15
    min_grasp_s: float = 0.2
    grasp_lead_s: float = 0.15
    track_quality: float = 0.45
    thickness_prior_m: float = 0.008
    max_depth_change: float = 1.6
    max_objects: int = 6

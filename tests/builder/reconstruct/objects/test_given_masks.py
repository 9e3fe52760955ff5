from __future__ import annotations

import numpy as np
import pytest

from hoiset.builder.reconstruct.object_stage import reconstruct_objects
from hoiset.builder.reconstruct.objects.given_masks import standing_spans, tracks_of_masks
from hoiset.builder.reconstruct.objects.params import ObjectParams
from hoiset.geometry import angle_between, invert, project
from hoiset.shards.schema import MAX_OBJECTS, ObjectState
from tests.builder.reconstruct.scenes import DEPTH, LEFT_S, TAKEN_S, K, Take, iou, moved, scene_of


def visible(shot: Take) -> np.ndarray:
    """(T, H, W) codes of what shows of each thing: its silhouette where no hand is in front of it."""
    free = scene_of(shot).hand_masks == 0
    out = np.zeros(shot.masks.shape[1:], np.uint8)
    for o, whole in enumerate(shot.masks):
        out[whole & free] = o + 1
    return out


def depth_of(shot: Take) -> np.ndarray:
    """(T, H, W) depth of things before the table, unknown where a hand is."""
    depth = np.full(shot.masks.shape[1:], 1.05 * DEPTH, np.float32)
    for whole, poses in zip(shot.masks, shot.poses, strict=True):
        depth = np.where(whole, poses[:, None, None, 2, 3], depth)
    return np.where(scene_of(shot).hand_masks == 0, depth, np.nan)


def objects_of(shot: Take, masks: np.ndarray, depth: np.ndarray | None = None):
    return reconstruct_objects(shot.rgb, shot.time, shot.hands, shot.camera, None, ObjectParams(), masks, depth)


@pytest.fixture(scope="module")
def turned() -> Take:
    return moved(turn=0.6)


def test_a_carried_thing_is_one_track_over_its_silhouette(carry, carry_scene) -> None:
    (track,), dropped = tracks_of_masks(carry_scene, visible(carry))
    assert dropped == ()
    assert min(iou(track.silhouette(t), carry.masks[0, t]) for t in range(len(carry.time))) > 0.75
    assert np.mean([iou(track.silhouette(t), carry.masks[0, t]) for t in range(len(carry.time))]) > 0.85
    t = 20
    assert (track.visible(t, carry_scene.hand_masks[t]) == (visible(carry)[t] == 1)).all()


def test_it_stands_before_it_is_taken_and_after_it_is_left(carry, carry_scene) -> None:
    (begin, taken), (left, end) = standing_spans(carry_scene, visible(carry) == 1)
    assert (begin, end) == (0, len(carry.time))
    assert carry.time[taken - 1] == pytest.approx(TAKEN_S, abs=0.25)
    assert carry.time[left] == pytest.approx(LEFT_S, abs=0.25)


def test_masks_of_another_resolution(carry, carry_scene) -> None:
    small = visible(carry)[:, ::2, ::2]
    (track,), _ = tracks_of_masks(carry_scene, small)
    assert np.mean([iou(track.silhouette(t), carry.masks[0, t]) for t in range(len(carry.time))]) > 0.8


def test_what_is_not_moved_is_left_out_with_its_reason(pair, pair_scene) -> None:
    tracks, dropped = tracks_of_masks(pair_scene, visible(pair))
    assert len(tracks) == 1
    assert np.nanmean([iou(tracks[0].silhouette(t), pair.masks[0, t]) for t in (0, len(pair.time) - 1)]) > 0.8
    ((what, why),) = dropped
    assert what == "given mask 2"
    assert why.startswith("hardly_moved")


def test_codes_of_hands_and_empty_masks_are_nothing(carry, carry_scene) -> None:
    masks = visible(carry)
    masks[masks > 0] = MAX_OBJECTS + 2
    assert tracks_of_masks(carry_scene, masks) == ((), ())
    found = objects_of(carry, np.zeros_like(masks))
    assert found.meshes == ()


def test_an_object_of_known_masks_and_depth_goes_where_it_goes(turned) -> None:
    found = objects_of(turned, visible(turned), depth_of(turned))
    assert len(found.meshes) == 1
    assert found.depth_source == ("depth_map",)
    true, pose = turned.poses[0], found.pose[:, 0]
    off_px = np.linalg.norm(project(K, pose[:, :3, 3]) - project(K, true[:, :3, 3]), axis=1)
    assert np.median(off_px) < 4
    assert off_px.max() < 8
    # In its own plane a flat thing gives registration no hold: only where it comes to rest is its turn judged.
    turns = (pose[-1] @ invert(pose[0]), true[-1] @ invert(true[0]))
    assert np.degrees(angle_between(*(T[:3, :3] for T in turns))) < 4.0
    shift = pose[:, 2, 3] - true[:, 2, 3]
    # A flat thing has no depth to find: what is added is the thickness that is assumed of its outline.
    assert np.ptp(shift) < 0.01
    assert shift.min() >= 0
    assert shift.max() < 0.1
    assert ObjectState.GRASPED_RIGHT in found.state


def test_depth_says_how_far_and_not_the_hand(turned) -> None:
    depth = depth_of(turned)
    near, far = (objects_of(turned, visible(turned), d) for d in (depth, 1.3 * depth))
    np.testing.assert_allclose(far.pose[:, 0, 2, 3] / near.pose[:, 0, 2, 3], 1.3, rtol=0.02)
    hand = objects_of(turned, visible(turned))
    assert hand.depth_source != ("depth_map",)
    assert np.abs(hand.pose[:, 0, 2, 3] / DEPTH - 1).max() < 0.05


def test_what_an_arm_covers_for_a_while_has_not_moved(pair, pair_scene) -> None:
    masks = visible(pair)
    masks[masks != 2] = 0
    x = np.nonzero(masks[0])[1]
    begin = len(masks) // 3
    for t in range(begin, len(masks)):  # an arm comes in from the right, and nobody says that it is one
        covered = min(2 * (t - begin), 0.6 * np.ptp(x))
        masks[t][:, x.max() - int(covered) :] = 0
    tracks, dropped = tracks_of_masks(pair_scene, masks)
    assert tracks == ()
    assert [why[:12] for _, why in dropped] == ["hardly_moved"]

import numpy as np
import pytest

from hoiset.errors import DatasetError
from hoiset.eval.adapters import read_hands_real, read_image
from hoiset.geometry import project, wrist_frame


def test_hands_are_plausible_and_reproject_into_their_crop(shared_data):
    hands = read_hands_real(shared_data / "hands_real")
    assert len(hands.images) == len(hands.joints) == len(hands.K) == 400
    assert read_image(hands.images[7]).shape == (256, 256, 3)
    # Metres: the middle finger's knuckle is 5 to 12 cm from the wrist, its bones 1.2 to 7 cm.
    palm = np.linalg.norm(hands.joints[:, 9] - hands.joints[:, 0], axis=-1)
    assert 0.05 < palm.min() < palm.max() < 0.12
    bones = np.linalg.norm(np.diff(hands.joints[:, 9:13], axis=1), axis=-1)
    assert 0.012 < bones.min() < bones.max() < 0.07
    pixels = np.stack([project(K, joints) for K, joints in zip(hands.K, hands.joints, strict=True)])
    assert ((pixels > 0) & (pixels < 255)).all()


def test_they_are_left_hands(shared_data):
    joints = read_hands_real(shared_data / "hands_real").joints
    # Fingers curl towards the palm, which is +z of a wrist frame of the right side and -z of one of the wrong side.
    T = wrist_frame(joints, left=True)
    local = np.einsum("nji,nkj->nki", T[:, :3, :3], joints - joints[:, :1])
    assert np.mean(local[:, [8, 12, 16, 20], 2].mean(-1) > 0) > 0.95


def test_a_broken_set_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0.jpg").write_bytes(b"")
    good = {"joints_cm": np.full((1, 21, 3), 40.0), "K_fxfycxcy": np.ones((1, 4)), "files": np.array(["images/0.jpg"])}
    np.savez(tmp_path / "gt.npz", **good)
    assert read_hands_real(tmp_path).joints.max() == 0.4
    np.savez(tmp_path / "gt.npz", **good | {"joints_cm": np.full((1, 21, 3), -1.0)})
    with pytest.raises(DatasetError, match="not in front of the camera"):
        read_hands_real(tmp_path)
    np.savez(tmp_path / "gt.npz", **good | {"files": np.array(["../../etc/passwd"])})
    with pytest.raises(DatasetError, match="expected a file inside"):
        read_hands_real(tmp_path)

import json

import numpy as np
import pytest

from hoiset.errors import DatasetError
from hoiset.eval.adapters import read_depth_nyu
from hoiset.geometry import project, unproject


def test_rooms_have_the_depth_of_rooms(shared_data):
    images = read_depth_nyu(shared_data / "depth_nyu")
    assert [i.name for i in images] == ["rgb_00000.jpg", "rgb_00050.jpg", "rgb_00100.jpg"]
    for image in images:
        assert image.rgb.shape == (480, 640, 3)
        assert image.depth_m.shape == (480, 640)
        known = image.depth_m[np.isfinite(image.depth_m)]
        assert 0.5 < known.min() < known.max() < 10.0
        assert 0.5 < len(known) / image.depth_m.size < 0.9
        # The lens of a Kinect: 57 to 63 degrees wide.
        assert 57 < np.degrees(2 * np.arctan(320 / image.K[0, 0])) < 64
        pixels = np.array([[100.0, 200.0], [400.0, 300.0]])
        np.testing.assert_allclose(project(image.K, unproject(image.K, pixels, np.array([2.0, 3.0]))), pixels)


def test_edges_of_depth_are_edges_of_colour(shared_data):
    # Aligned: colour changes more across jumps of depth than elsewhere; shifted by 40 px it hardly does.
    def contrast(image, shift):
        step = np.abs(np.diff(image.depth_m, axis=1)) > 0.2
        colour = np.abs(np.diff(image.rgb.mean(-1), axis=1))
        colour = np.roll(colour, shift, axis=1)
        inner = np.zeros_like(step)
        inner[60:420, 90:550] = True
        return colour[step & inner].mean() / colour[inner].mean()

    images = read_depth_nyu(shared_data / "depth_nyu")
    assert np.mean([contrast(i, 0) for i in images]) > 1.5 * np.mean([contrast(i, 40) for i in images])


def test_a_broken_set_is_refused(tmp_path):
    path = tmp_path / "test_annotations.json"
    path.write_text(json.dumps({"files": [{"depth_scale": 1000.0}]}))
    with pytest.raises(DatasetError, match="without files, rgb, depth"):
        read_depth_nyu(tmp_path)
    path.write_text(json.dumps({"files": [{"rgb": "rgb/a.jpg", "depth": "depth/a.png"}]}))
    with pytest.raises(DatasetError, match=r"found no .*a\.jpg"):
        read_depth_nyu(tmp_path)

import json

import numpy as np
import pytest

from hoiset.errors import DatasetError
from hoiset.eval.adapters import read_boxes, read_image


def test_clips_have_frames_and_boxes_inside_of_them(shared_data):
    clips = read_boxes(shared_data / "boxes")
    assert [c.name for c in clips] == ["2", "2003", "4", "44862", "77005", "862"]
    for clip in clips:
        height, width = read_image(clip.images[0]).shape[:2]
        assert len(clip.images) == len(clip.hands) == len(clip.objects) >= 40
        assert len(clip.labels) == clip.objects.shape[1] >= 1
        boxes = np.concatenate([clip.objects[np.isfinite(clip.objects[..., 0])], *clip.hands])
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert (boxes >= -1).all()
        assert (boxes[:, [0, 2]] <= width + 1).all()
        assert (boxes[:, [1, 3]] <= height + 1).all()
        # The hand that takes the book comes late.
        assert sum(len(h) for h in clip.hands) > 0.2 * len(clip.hands)


def test_two_objects_of_one_noun_stay_apart_and_absence_is_nan(shared_data):
    by_name = {c.name: c for c in read_boxes(shared_data / "boxes")}
    assert by_name["4"].labels == ("puzzle piece", "puzzle", "puzzle piece")
    marker = by_name["77005"].objects[:, by_name["77005"].labels.index("marker")]
    assert 0.2 < np.isnan(marker[:, 0]).mean() < 0.5
    assert np.isnan(marker).all(1).tolist() == np.isnan(marker).any(1).tolist()


def test_broken_annotations_are_refused(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "0001.jpg").write_bytes(b"")

    def write(box, name="1/0001.jpg"):
        label = {"box2d": box, "gt_annotation": "object 0", "category": "cup", "standard_category": "0000"}
        (tmp_path / "annotations.json").write_text(json.dumps({"1": [{"name": name, "labels": [label]}]}))

    write({"x1": 1, "y1": 2, "x2": 3, "y2": 4})
    np.testing.assert_array_equal(read_boxes(tmp_path)[0].objects, [[[1, 2, 3, 4]]])
    write({"x1": 1, "y1": 2, "x2": 3, "y2": 4}, name="../../../1/0002.jpg")
    with pytest.raises(DatasetError, match=r"found no .*0002\.jpg"):
        read_boxes(tmp_path)
    write({"x1": 5, "y1": 2, "x2": 3, "y2": 4})
    with pytest.raises(DatasetError, match="expected x1 < x2"):
        read_boxes(tmp_path)
    write({"x1": 5})
    with pytest.raises(DatasetError, match="lacks name, labels, category or box2d"):
        read_boxes(tmp_path)

import numpy as np
import pytest

from hoiset.errors import DatasetError
from hoiset.eval.adapters import files


def test_a_missing_file_and_a_name_that_leads_out(tmp_path):
    with pytest.raises(DatasetError, match=r"found no .*gt\.npz"):
        files.existing(tmp_path, "gt.npz")
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_text("")
    with pytest.raises(DatasetError, match="expected a file inside"):
        files.existing(tmp_path / "inside", "../secret")


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DatasetError, match="without pickle"):
        files.read_arrays(tmp_path / "a.npz", {"x": (None,)})


def test_arrays_must_have_their_names_and_shapes(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 3)), y=np.zeros(5))
    assert files.read_arrays(tmp_path / "a.npz", {"x": (None, 3)})["x"].shape == (4, 3)
    with pytest.raises(DatasetError, match=r"without \['z'\]"):
        files.read_arrays(tmp_path / "a.npz", {"x": (None, 3), "z": (None,)})
    with pytest.raises(DatasetError, match=r"found x of shape \(4, 3\)"):
        files.read_arrays(tmp_path / "a.npz", {"x": (None, 4)})
    with pytest.raises(DatasetError, match="as many rows"):
        files.read_arrays(tmp_path / "a.npz", {"x": (None, 3), "y": (None,)})
    (tmp_path / "b.npz").write_bytes(b"no archive")
    with pytest.raises(DatasetError, match="cannot be read"):
        files.read_arrays(tmp_path / "b.npz", {"x": (None,)})


def test_text_that_is_malformed(tmp_path):
    path = tmp_path / "text"
    path.write_text("{")
    for reader in (files.read_json, files.read_json_lines):
        with pytest.raises(DatasetError, match="JSON"):
            reader(path)
    path.write_text("a,b\n1,2\n")
    assert files.read_table(path, ("a",)) == [{"a": "1", "b": "2"}]
    with pytest.raises(DatasetError, match=r"without the columns \['c'\]"):
        files.read_table(path, ("a", "c"))
    for value in ("x", None, "nan"):
        with pytest.raises(DatasetError, match="expected a finite number"):
            files.number(value, "here")


def test_pictures_that_are_none(tmp_path):
    for content in (b"", b"no picture"):
        (tmp_path / "a.jpg").write_bytes(content)
        with pytest.raises(DatasetError, match="no image"):
            files.read_image(tmp_path / "a.jpg")

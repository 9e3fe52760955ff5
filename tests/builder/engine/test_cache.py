from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoiset.builder.engine.cache import StageCache, digest_file, digest_json
from hoiset.builder.params import Params


class BlurParams(Params):
    radius_fraction: float = 0.1


class Counting:
    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays, self.calls = arrays, 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.calls += 1
        return self.arrays


def test_second_run_is_read_back(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6, dtype="<f4").reshape(2, 3),
        "mask": np.zeros((2, 4, 4), np.uint8),
        "zero_dim": np.array(3.5),
        "empty": np.zeros((0, 21, 3)),
        "text": np.array(["x", "yz"]),
    }
    compute = Counting(arrays)
    cache = StageCache(tmp_path)
    first, digest = cache.run("blur", "1", BlurParams(), ["in"], compute)
    second, same = cache.run("blur", "1", BlurParams(), ["in"], compute)
    assert compute.calls == 1
    assert digest == same
    assert list(tmp_path.rglob("*.tmp")) == []
    for key, value in arrays.items():
        for got in (first[key], second[key]):
            assert got.dtype == value.dtype
            assert got.shape == value.shape
            np.testing.assert_array_equal(got, value)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "sharpen"},
        {"version": "2"},
        {"params": BlurParams(radius_fraction=0.2)},
        {"params": None},
        {"inputs": ["other"]},
        {"inputs": ["in", "in"]},
        {"backend": "model-b"},
    ],
)
def test_whatever_changes_changes_the_digest(tmp_path: Path, changed: dict) -> None:
    call = {"name": "blur", "version": "1", "params": BlurParams(), "inputs": ["in"], "backend": "model-a"}
    compute = Counting({"a": np.ones(1)})
    cache = StageCache(tmp_path)
    _, digest = cache.run(**call, compute=compute)
    _, other = cache.run(**(call | changed), compute=compute)
    assert digest != other
    assert compute.calls == 2


def test_memory_order_is_the_same_computed_or_read(tmp_path: Path) -> None:
    strided = {"t": np.arange(12.0).reshape(3, 4).T, "s": np.arange(12.0)[::3]}
    cache = StageCache(tmp_path)
    for _ in range(2):
        arrays, _ = cache.run("s", "1", None, [], lambda: strided)
        assert all(value.flags.c_contiguous for value in arrays.values())


def test_without_a_root_nothing_is_stored(tmp_path: Path) -> None:
    compute = Counting({"a": np.ones(2)})
    for _ in range(2):
        StageCache(None).run("s", "1", None, [], compute)
    assert compute.calls == 2
    assert (
        StageCache(None).run("s", "1", None, ["i"], compute)[1]
        == StageCache(tmp_path).run("s", "1", None, ["i"], compute)[1]
    )


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
def test_a_damaged_file_is_computed_anew(tmp_path: Path, keep: float) -> None:
    compute = Counting({"a": np.random.default_rng(0).normal(size=500)})
    cache = StageCache(tmp_path)
    cache.run("s", "1", None, [], compute)
    (path,) = tmp_path.rglob("*.npz")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    arrays, _ = cache.run("s", "1", None, [], compute)
    np.testing.assert_array_equal(arrays["a"], compute.arrays["a"])
    assert compute.calls == 2
    assert path.read_bytes() == data


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="object array"):
        StageCache(tmp_path).run("s", "1", None, [], lambda: {"a": np.array([{}])})


def test_digest_file_is_sha256(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "f").write_bytes(data)
    assert digest_file(tmp_path / "f") == hashlib.sha256(data).hexdigest()


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.floats(allow_nan=False)))
def test_digest_json_ignores_the_order_of_keys(value: dict) -> None:
    assert digest_json(value) == digest_json(dict(reversed(value.items())))

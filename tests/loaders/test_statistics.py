import json
from pathlib import Path

import numpy as np
import pytest

from hoiset.errors import DatasetError
from hoiset.loaders import Normaliser, Statistics, WindowDataset, compute_statistics, load_dataset
from hoiset.loaders import statistics as module
from tests.factories import FPS
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine

KEYS = {"hand_wrist_9d": [0.0], "hand_wrist_relative_9d": [1 / FPS, 2 / FPS], "hand_source": [0.0]}


def windows(path: Path, **filters: object) -> WindowDataset:
    return WindowDataset(load_dataset(path, split=None, format="numpy", **filters), KEYS)  # type: ignore[arg-type]


def seen(items: WindowDataset, key: str) -> np.ndarray:
    return np.concatenate([w[key][~w[f"{key}_is_pad"]] for w in items]).astype(np.float64)


def test_statistics_are_those_of_what_training_sees(pristine: Path, tmp_path: Path) -> None:
    ours = windows(pristine)
    found = compute_statistics(ours, store=tmp_path)
    assert set(found.keys) == {"hand_wrist_9d", "hand_wrist_relative_9d"}
    assert found.n_windows == len(ours)
    for key, stats in found.keys.items():
        rows = seen(ours, key)[:, 1]  # the right hand: the left one is absent
        np.testing.assert_allclose(stats.mean[1], rows.mean(0), atol=1e-9)
        np.testing.assert_allclose(stats.std[1], rows.std(0), atol=1e-9)
        np.testing.assert_array_equal(stats.min[1], rows.min(0))
        np.testing.assert_array_equal(stats.max[1], rows.max(0))
        np.testing.assert_allclose([stats.q01[1], stats.q99[1]], np.quantile(rows, (0.01, 0.99), axis=0))
        assert (stats.count[1] == len(rows)).all()
        assert (stats.absent[0] == len(rows)).all()
        assert (stats.count[0] == 0).all()
        assert np.isnan(stats.mean[0]).all()
        assert stats.quantile_error == 0


def test_quantiles_that_do_not_fit_come_from_histograms(pristine: Path, tmp_path: Path) -> None:
    exact = compute_statistics(windows(pristine), store=tmp_path / "a")
    rough = compute_statistics(windows(pristine), store=tmp_path / "b", quantile_bytes=100)
    for key, stats in rough.keys.items():
        assert stats.quantile_error > 0
        np.testing.assert_array_equal(stats.mean, exact.keys[key].mean)
        span = (stats.max - stats.min)[1]
        gap = span / 10  # the exact ones interpolate between a few dozen values
        assert (np.abs(stats.q99 - exact.keys[key].q99)[1] <= gap).all()


def test_they_are_computed_once(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compute_statistics(windows(pristine), store=tmp_path)
    made = (tmp_path / f"{first.digest}.json").read_bytes()
    computed = []
    monkeypatch.setattr(module, "_compute", lambda *a, real=module._compute: computed.append(1) or real(*a))
    again = compute_statistics(windows(pristine), store=tmp_path)
    assert not computed
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == made
    for key, stats in first.keys.items():
        for field in module.FIELDS:
            np.testing.assert_array_equal(getattr(again.keys[key], field), getattr(stats, field))
    fewer = compute_statistics(windows(pristine, verb="lift"), store=tmp_path)
    some = compute_statistics(windows(pristine), ["hand_wrist_9d"], store=tmp_path)
    assert len(computed) == 2
    assert len({first.digest, fewer.digest, some.digest}) == 3


def test_other_bytes_code_or_windows_are_other_statistics(
    pristine: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "statistics.json"
    first = compute_statistics(windows(pristine), store=store)
    assert compute_statistics(windows(dataset), store=store).digest == first.digest  # a copy is the same data
    manifest = dataset / "manifest/v2.json"
    content = json.loads(manifest.read_bytes())
    content["files"][0]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(content))
    assert compute_statistics(windows(dataset), store=store).digest != first.digest
    assert Statistics.load(store).digest != first.digest
    sparse = WindowDataset(load_dataset(pristine, split=None, format="numpy"), KEYS, stride_s=0.2)
    assert compute_statistics(sparse, store=store).digest != first.digest
    monkeypatch.setattr(module, "VERSION", "2")
    assert compute_statistics(windows(pristine), store=store).digest != first.digest


def test_they_rest_in_the_users_cache(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = compute_statistics(windows(pristine))
    assert (tmp_path / "hoiset/statistics" / f"{found.digest}.json").exists()


def test_what_is_wrong_is_said(pristine: Path, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no statistics of 'hand_source'; keys with statistics there: hand_wrist_9d"):
        compute_statistics(windows(pristine), ["hand_source"], store=tmp_path)
    other = tmp_path / "notes.json"
    other.write_text('{"mine": 1}')
    with pytest.raises(DatasetError, match="holds no statistics"):
        compute_statistics(windows(pristine), store=other)
    assert other.read_text() == '{"mine": 1}'
    (dataset / "manifest/v2.json").unlink()
    with pytest.raises(DatasetError, match="no version 'v2' with a manifest"):
        compute_statistics(windows(dataset), store=tmp_path)


@pytest.mark.parametrize("mode", ["standard", "range", "quantiles"])
@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_normalised_and_back(pristine: Path, tmp_path: Path, mode: str, kind: str) -> None:
    ours = windows(pristine)
    normaliser = Normaliser(compute_statistics(ours, store=tmp_path), mode)  # type: ignore[arg-type]
    rows = seen(ours, "hand_wrist_9d").astype(np.float32)
    value = rows
    if kind == "torch":
        value = pytest.importorskip("torch", reason="needs hoiset[torch]").from_numpy(rows)
    batch = {"hand_wrist_9d": value, "task": ["a"]}
    there = normaliser.apply(batch)
    assert there["task"] == ["a"]
    assert type(there["hand_wrist_9d"]) is type(value)
    assert there["hand_wrist_9d"].dtype == value.dtype
    right = np.asarray(there["hand_wrist_9d"])[:, 1]
    if mode == "standard":
        np.testing.assert_allclose(right.mean(0), 0, atol=1e-3)
        np.testing.assert_allclose(right.std(0), 1, atol=1e-3)
    elif mode == "range":
        np.testing.assert_allclose([right.min(0), right.max(0)], [[-1] * 9, [1] * 9], atol=1e-3)
    np.testing.assert_allclose(np.asarray(normaliser.invert(there)["hand_wrist_9d"]), rows, atol=1e-5)
    assert np.isnan(np.asarray(there["hand_wrist_9d"])[:, 0]).all()


def test_normaliser_refuses(pristine: Path, tmp_path: Path) -> None:
    statistics = compute_statistics(windows(pristine), store=tmp_path)
    with pytest.raises(DatasetError, match="unknown mode"):
        Normaliser(statistics, "log")  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match="no statistics of grasp"):
        Normaliser(statistics, keys=["grasp"])
    with pytest.raises(DatasetError, match=r"found shape \(3, 9\)"):
        Normaliser(statistics).apply({"hand_wrist_9d": np.zeros((3, 9))})
    with pytest.raises(DatasetError, match="no statistics of 'grasp'"):
        Normaliser(statistics).apply_to("grasp", np.zeros(2))

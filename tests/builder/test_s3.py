"""A dataset that lives in an object store from the first record to the card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hoiset.builder.engine.options import EngineOptions
from hoiset.builder.passes import Step
from hoiset.builder.run import build, redecide
from hoiset.builder.status import read_status
from hoiset.errors import DatasetError, RecipeError
from hoiset.shards.storage import Storage
from hoiset.shards.verify import verify_dataset
from tests.builder.fakes import RECIPE, STAGES, dataset_bytes, make_source
from tests.s3 import s3_server

WORDS = {**{f"clip_{i:02d}": "two" if i % 3 == 0 else "" for i in range(7)}, "bad": "clip_error", "none": "no_hands"}


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server("videos") as bucket:
        yield bucket


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_source(tmp_path / "source", WORDS)


def run(source: Path, out: str | Path, **kwargs: Any) -> Any:
    return build(RECIPE, source, out, workers=0, stages=STAGES, **kwargs)


def remote_bytes(out: str) -> dict[str, bytes]:
    """As :func:`dataset_bytes`."""
    storage = Storage.at(out)
    names = (name for name in storage.names("") if not name.startswith((".hoiset/", "screen/")))
    return {name: storage.read(name) or b"" for name in (*names, "screen/candidates.parquet")}


class Stop(Exception):  # noqa: N818
    pass


def test_the_same_bytes_as_on_a_disk_also_after_a_stop(bucket: str, source: Path, tmp_path: Path) -> None:
    def stop(step: Step) -> None:
        if step.phase == "reconstruct" and step.done == 5:
            raise Stop

    out = f"{bucket}/resumed"
    with pytest.raises(Stop):
        run(source, out, progress=stop)
    half = read_status(out)
    assert (half.screened, half.finished) == (9, False)
    assert 0 < half.units_done < half.units
    done = {name: Storage.at(out).stamp(name) for name in remote_bytes(out) if name.endswith(".tar")}
    assert len(done) == 2 * half.units_done
    report = run(source, out)
    assert report.root == out
    run(source, tmp_path / "disk")
    assert remote_bytes(out) == dataset_bytes(tmp_path / "disk")
    assert {name: Storage.at(out).stamp(name) for name in done} == done
    assert read_status(out).finished
    verified = verify_dataset(out)
    assert (verified.problems, verified.n_samples) == ((), 10)
    leftovers = [name for name in Storage.at(out).names(".hoiset") if "staging" in name or name.endswith("lock")]
    assert leftovers == []
    assert Storage.at(out).size("screen/report.html")
    with pytest.raises(DatasetError, match=r"lacks .*screen again"):  # it was found and read
        redecide(RECIPE, out)


def test_damage_in_a_store_is_found(bucket: str, source: Path) -> None:
    out = f"{bucket}/damaged"
    run(source, out)
    storage = Storage.at(out)
    shard, video = storage.names("data/v2/core")[0], storage.names("data/v2/video")[0]
    storage.write(shard, b"x" + (storage.read(shard) or b"")[1:])
    storage.write("data/v2/core/stray.tar", b"")
    storage.remove(video)
    problems = {problem.file for problem in verify_dataset(out).problems}
    assert {shard, video, "data/v2/core/stray.tar"} <= problems


def test_a_place_in_a_store_belongs_to_one_build(bucket: str, source: Path) -> None:
    out = f"{bucket}/owned"

    def intrude(step: Step) -> None:
        with pytest.raises(DatasetError, match="another build"):
            run(source, out)

    run(source, out, progress=intrude)
    other = RECIPE.model_copy(update={"clips_per_shard": 3})
    with pytest.raises(RecipeError, match="belongs to recipe 'v2'"):
        build(other, source, out, workers=0, stages=STAGES)
    Storage.at(f"{bucket}/precious").write("README.md", b"mine")
    with pytest.raises(DatasetError, match="no build made it"):
        run(source, f"{bucket}/precious")


def test_a_store_that_does_not_answer_is_no_empty_store(
    bucket: str, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatasetError, match="no such bucket"):
        run(source, "s3://no-such-bucket-here/x")


@pytest.mark.slow
def test_a_cluster_and_a_store_together(bucket: str, source: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="pip install 'hoiset[ray]'")
    engine = EngineOptions(kind="ray", cpus=1)
    build(RECIPE, source, f"{bucket}/cluster", workers=2, stages=STAGES, engine=engine)
    run(source, tmp_path / "disk")
    assert remote_bytes(f"{bucket}/cluster") == dataset_bytes(tmp_path / "disk")

"""``hf://`` addresses, read by the real client from a Hub on loopback."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfFileSystem, constants

from hoiset.builder.sources.action100m.reading import find_tables, read_rows
from hoiset.builder.sources.action100m.source import Action100MSource
from hoiset.errors import SourceError
from tests.builder.sources.action100m.corpus import pouring, uid_of, wrapped, write_json, write_parquet
from tests.builder.sources.action100m.hub import REPO, Hub, serve


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    (tmp_path / "hub" / "data").mkdir(parents=True)
    with serve(tmp_path / "hub") as served:
        template = served.url + constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        HfFileSystem.clear_instance_cache()
        yield served
    HfFileSystem.clear_instance_cache()


def uids(address: str) -> list[str]:
    return [row.uid for table in find_tables(address) for row in read_rows(table)]


def test_a_dataset_a_folder_a_file_and_a_revision(hub: Hub) -> None:
    write_parquet(hub.root / "data" / "a.parquet", [[pouring(uid_of(1))], [pouring(uid_of(2))]])
    write_json(hub.root / "data" / "b.json", wrapped(pouring(uid_of(3))))
    (hub.root / "README.md").write_text("")
    every = [uid_of(i) for i in (1, 2, 3)]
    assert uids(f"hf://datasets/{REPO}") == every
    assert uids(f"hf://datasets/{REPO}/data") == every
    assert uids(f"hf://datasets/{REPO}@main/data") == every
    assert uids(f"hf://datasets/{REPO}/data/a.parquet") == every[:2]
    videos = list(Action100MSource(f"hf://datasets/{REPO}").videos())
    assert [v.uid for v in videos] == every
    assert find_tables(f"hf://datasets/{REPO}")[0].name == "data/a.parquet"


def test_only_what_is_needed_travels(hub: Hub) -> None:
    draw = random.Random(0)
    groups = [[pouring(uid_of(8 * g + i), 20, draw.randbytes(130_000).hex()) for i in range(4)] for g in range(6)]
    path = write_parquet(hub.root / "data" / "a.parquet", groups)
    assert len(uids(f"hf://datasets/{REPO}")) == 24
    assert all(hub.ranges)
    assert path.stat().st_size > 5 << 20
    assert hub.bytes_served < 0.1 * path.stat().st_size


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_file_that_is_refused_is_an_error_without_the_token(
    hub: Hub, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    write_parquet(hub.root / "data" / "a.parquet", [[pouring(uid_of(1))]])
    hub.status = status
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read") as caught:
        uids(f"hf://datasets/{REPO}")
    assert "hf_secret" not in str(caught.value)


def test_a_dataset_that_is_not_there(hub: Hub) -> None:
    with pytest.raises(SourceError, match=r"nothing at|cannot be listed"):
        find_tables("hf://datasets/someone/else")
    for address in ("hf://", "hf://datasets", "hf://nonsense"):
        with pytest.raises(SourceError, match="cannot be listed"):
            find_tables(address)


def test_a_hub_that_is_not_there(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    HfFileSystem.clear_instance_cache()
    with pytest.raises(SourceError, match="cannot be listed"):
        find_tables(f"hf://datasets/{REPO}")

from __future__ import annotations

import hashlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hoiset.publish.changes import LocalFile, changes, owns
from hoiset.publish.repository import RemoteFile
from tests.hub import blob

names = st.sampled_from(
    ["README.md", "data/v2/core/train-00000.tar", "data/v2/video/x.tar", "data/v1/core/x.tar", "notes.txt",
     "index/v2.parquet", "index/v1.parquet", "figures/v2-a.png", "figures/v2-b-a.png", "LICENSES/NOTICE-v2.md"]
)  # fmt: skip
files = st.dictionaries(names, st.binary(max_size=3))
OTHERS = {"data/v1/core/x.tar", "notes.txt", "index/v1.parquet"}


def remote(path: str, data: bytes) -> RemoteFile:
    large = path.endswith(".tar")
    return RemoteFile(path, len(data), hashlib.sha256(data).hexdigest() if large else "", "" if large else blob(data))


@given(files, files)
def test_applied_to_what_is_there_they_give_what_is_wanted(wanted: dict[str, bytes], there: dict[str, bytes]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        local = []
        for i, (path, data) in enumerate(wanted.items()):
            (Path(folder) / str(i)).write_bytes(data)
            local.append(LocalFile.at(path, Path(folder) / str(i)))
        found = changes(local, {path: remote(path, data) for path, data in there.items()}, "v2")
    after = dict(there)
    for change in found:
        if change.action == "removed":
            assert change.path not in OTHERS
            del after[change.path]
        elif change.action == "same":
            assert there[change.path] == wanted[change.path]
        else:
            assert (change.action == "new") == (change.path not in there)
            after[change.path] = wanted[change.path]
    assert wanted.items() <= after.items()
    strangers = {path: data for path, data in after.items() if path not in wanted}
    assert set(strangers) <= OTHERS | {"README.md"}
    assert [change.path for change in found] == sorted(change.path for change in found)


def test_figures_of_a_version_with_a_longer_name_are_its_own() -> None:
    there = ["manifest/v2.json", "manifest/v2-lab.json", "figures/v2-hands.png", "figures/v2-lab-hands.png"]
    assert owns("v2", "figures/v2-hands.png", there)
    assert not owns("v2", "figures/v2-lab-hands.png", there)
    assert owns("v2-lab", "figures/v2-lab-hands.png", there)

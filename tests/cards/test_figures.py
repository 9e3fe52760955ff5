import shutil
from pathlib import Path

import matplotlib
import pytest

from hoiset.cards import write_figures
from hoiset.errors import DatasetError
from tests.factories import make_dataset
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine


def test_settings_of_the_user_do_not_change_the_pictures(dataset: Path) -> None:
    before = {p.name: p.read_bytes() for p in (dataset / "figures").iterdir()}
    assert set(before) == {"v2-overview.png", "v2-hands.png"}
    shutil.rmtree(dataset / "figures")
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True, "savefig.dpi": 30}):
        write_figures(dataset, "v2")
    assert {p.name: p.read_bytes() for p in (dataset / "figures").iterdir()} == before


def test_pictures_follow_the_data(tmp_path: Path, pristine: Path) -> None:
    other = make_dataset(tmp_path, n_clips=3, verb="juggle")
    for name in ("v2-overview.png", "v2-hands.png"):
        data = (other / "figures" / name).read_bytes()
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        assert data != (pristine / "figures" / name).read_bytes()


def test_a_missing_shard_is_named(dataset: Path) -> None:
    (dataset / "data/v2/core/train-00000.tar").unlink()
    with pytest.raises(DatasetError, match="train-00000"):
        write_figures(dataset, "v2")

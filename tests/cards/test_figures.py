import shutil
from pathlib import Path

import matplotlib
import matplotlib.image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hoiset.cards import write_figures
from hoiset.errors import DatasetError
from hoiset.shards.manifest import figure_paths
from tests.factories import make_dataset
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine


def test_settings_of_the_user_do_not_change_the_pictures(dataset: Path) -> None:
    before = {p.name: p.read_bytes() for p in (dataset / "figures").iterdir()}
    assert set(before) == {"v2-overview.png", "v2-quality.png", "v2-sheet.jpg"}
    shutil.rmtree(dataset / "figures")
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True, "savefig.dpi": 30}):
        write_figures(dataset, "v2")
    assert {p.name: p.read_bytes() for p in (dataset / "figures").iterdir()} == before


def test_pictures_follow_the_data(tmp_path: Path, pristine: Path) -> None:
    other = make_dataset(tmp_path, n_clips=3, verb="juggle")
    for name, magic in (("v2-overview.png", b"\x89PNG\r\n\x1a\n"), ("v2-sheet.jpg", b"\xff\xd8\xff")):
        data = (other / "figures" / name).read_bytes()
        assert data.startswith(magic)
        assert data != (pristine / "figures" / name).read_bytes()


def test_a_missing_shard_is_named(dataset: Path) -> None:
    (dataset / "data/v2/core/train-00000.tar").unlink()
    with pytest.raises(DatasetError, match="train-00000"):
        write_figures(dataset, "v2")


def test_the_yield_is_drawn_where_pass_1_left_a_table(dataset: Path) -> None:
    (dataset / "screen").mkdir()
    pq.write_table(pa.table({"gate": ["ok", "no_hands"]}), dataset / "screen/candidates.parquet")
    assert dataset / "figures/v2-yield.png" in write_figures(dataset, "v2")
    (dataset / "screen/candidates.parquet").unlink()
    write_figures(dataset, "v2")
    assert not (dataset / "figures/v2-yield.png").exists()


def test_figures_of_a_version_with_a_longer_name_stay(dataset: Path) -> None:
    (dataset / "figures/v2-small-overview.png").write_bytes(b"other")
    write_figures(dataset, "v2")
    assert (dataset / "figures/v2-small-overview.png").read_bytes() == b"other"
    assert "figures/v2-small-overview.png" not in figure_paths(dataset, "v2")


def test_a_panel_is_light_inside_and_clear_outside(dataset: Path) -> None:
    pixels = matplotlib.image.imread(dataset / "figures/v2-overview.png")
    assert pixels[0, 0, 3] == 0
    assert pixels[12, 12].tolist() == [1, 1, 1, 1]

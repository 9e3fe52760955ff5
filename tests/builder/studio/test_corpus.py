import csv
from pathlib import Path

import numpy as np
import pytest

from hoiset.builder.sources.folder import FolderSource
from hoiset.builder.studio import corpus
from hoiset.builder.studio.corpus import make_corpus
from hoiset.errors import SourceError
from hoiset.shards.index import read_index
from hoiset.shards.reader import ShardReader
from hoiset.shards.verify import verify_dataset
from hoiset.video import count_frames, decode_lossless, probe
from tests.builder.studio.conftest import small

TINY = small(width_px=96, height_px=72, rate_hz=4.0, action="pick_place", object_kind="box")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus")
    make_corpus(out, seed=33, n_clips=2, params=TINY, workers=0)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_videos_words_truth_and_verdicts_name_the_same_files(made: Path) -> None:
    videos = list(FolderSource(made / "videos").videos())
    assert [v.uid for v in videos] == ["studio-000033.mp4", "studio-000034.mp4"]
    assert all(not v.problem and v.focal_px is None and v.gravity is None and v.action for v in videos)
    verdicts = rows(made / "screening.csv")
    assert [(r["uid"], r["kind"], r["passes"], r["gate"]) for r in verdicts] == [
        ("studio-000033.mp4", "positive", "yes", ""),
        ("studio-000034.mp4", "no_hand", "no", "no_hands"),
    ]
    index = read_index(made / "truth", "studio")
    assert index["key"].to_pylist() == ["studio-000033"]
    assert index["uid"].to_pylist() == ["studio-000033.mp4"]
    start, end = map(float, verdicts[0]["spans"].split("-"))
    assert (start, end) == (0.0, pytest.approx(index["duration_s"][0].as_py(), abs=0.26))
    assert verdicts[1]["spans"] == ""


def test_the_truth_verifies_and_the_video_has_its_frames(made: Path) -> None:
    report = verify_dataset(made / "truth", "studio")
    assert report.ok, report.problems
    assert (report.n_samples, len(report.versions)) == (1, 1)
    path = made / "videos" / "studio-000033.mp4"
    assert count_frames(path) == report.n_frames
    assert (probe(path).width, probe(path).height) == (96, 72)


def test_what_is_there_is_not_rendered_again_and_what_is_lost_is(
    made: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = (made / "videos" / "studio-000034.mp4").read_bytes()
    shot: list[int] = []
    real = corpus.shoot

    def counting(seed: int, *rest: object):
        shot.append(seed)
        return real(seed, *rest)

    monkeypatch.setattr(corpus, "shoot", counting)
    make_corpus(made, seed=33, n_clips=2, params=TINY, workers=0)
    assert shot == []
    (made / "videos" / "studio-000034.mp4").unlink()
    report = make_corpus(made, seed=33, n_clips=2, params=TINY, workers=0)
    assert shot == [34]
    assert (made / "videos" / "studio-000034.mp4").read_bytes() == before
    assert report.kinds == {"no_hand": 1, "positive": 1}
    assert report.samples == 1


def test_a_call_that_makes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="at least one"):
        make_corpus(tmp_path, n_clips=0)


def test_a_sample_holds_depth_and_masks_of_the_frames(made: Path) -> None:
    row = read_index(made / "truth", "studio").to_pylist()[0]
    spans = {m["member"]: m for m in row["members"]}
    with ShardReader(made / "truth") as reader:
        found = [
            reader.read(*(spans[name][k] for k in ("shard", "offset", "size"))) for name in ("depth.mkv", "masks.mkv")
        ]
    depth, masks = (decode_lossless(data) for data in found)
    assert depth.dtype == np.uint16
    assert depth.shape == masks.shape == (row["n_frames"], 72, 96)
    assert {0, 1} <= set(np.unique(masks))

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hoiset.builder.records import Candidate, SourceVideo
from hoiset.builder.screen.draw import SHOWN_STOPPED, Draw, lot_of
from hoiset.builder.screen.keepsakes import Keepsake, KeepsakeBox, make_keepsakes
from hoiset.builder.screen.thumbnails import HEIGHT_PX
from hoiset.shards.storage import Storage
from tests.builder.screen.scenes import scene, video


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> SourceVideo:
    here = video(tmp_path_factory.mktemp("keepsakes") / "a.mp4", scene(4))
    return replace(here, remote="https://example.org/a.mp4")


def spans(n: int, gate: str = "no_hands") -> list[Candidate]:
    return [Candidate("a.mp4", i, 0.01 * i, 0.01 * i + 2, gate) for i in range(n)]


def test_only_what_may_be_shown_gets_a_picture(fetched: SourceVideo) -> None:
    draw = Draw()
    made = make_keepsakes(fetched, spans(40), draw)
    assert {k.lot for k in made} == set(sorted(lot_of(c.uid, c.segment, c.start_s, c.end_s) for c in spans(40))[:8])
    assert {k.gate for k in made} == {"no_hands"}
    picture = cv2.imdecode(np.frombuffer(made[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (HEIGHT_PX, 3 * 192, 3)
    assert make_keepsakes(fetched, spans(40), draw) == made


def test_a_local_video_needs_none(fetched: SourceVideo) -> None:
    assert make_keepsakes(replace(fetched, remote=""), spans(2), Draw()) == ()


def test_a_video_that_cannot_be_read_has_none(fetched: SourceVideo, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    for path in (tmp_path / "text.mp4", Path(), tmp_path / "none.mp4"):
        assert make_keepsakes(replace(fetched, path=path), spans(2), Draw()) == ()


@pytest.mark.parametrize("root", ["folder", "memory://keepsakes"])
def test_a_box_holds_no_more_than_is_shown(root: str, tmp_path: Path) -> None:
    storage = Storage.at(tmp_path / root if "://" not in root else root)
    box, lots = KeepsakeBox(storage), [lot_of("a", i, 0.0, 1.0) for i in range(50)]
    for lot in lots:
        box.add([Keepsake("no_hands", lot, b"%d" % lot)])
        assert len(storage.names(".hoiset/thumbnails")) <= SHOWN_STOPPED
    best = sorted(lots)[:SHOWN_STOPPED]
    again = KeepsakeBox(storage)
    assert [again.read(lot) for lot in best] == [b"%d" % lot for lot in best]
    assert again.read(max(lots)) is None
    again.keep_only(best[:2])
    assert len(storage.names(".hoiset/thumbnails")) == 2
    assert again.read(best[1]) is not None

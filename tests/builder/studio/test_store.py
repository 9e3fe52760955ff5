from pathlib import Path

import numpy as np
import pytest

from hoiset.builder.studio import StudioClip, StudioParams, read_clip, write_clip
from hoiset.builder.studio.store import clip_folder
from hoiset.errors import SourceError
from hoiset.shards.schema import DEFAULT_LAYERS, members


def test_what_is_written_is_read_back(tmp_path: Path, right_mug: StudioClip) -> None:
    folder = tmp_path / "a" / "clip"
    write_clip(folder, right_mug)
    stored = read_clip(folder)
    for member in (m for layer in DEFAULT_LAYERS for m in members(layer)):
        a, b = stored.truth[member.name], right_mug.truth[member.name]
        assert np.array_equal(a, b, equal_nan=True) if member.is_array else a == b, member.name
    assert np.array_equal(stored.depth, right_mug.depth)
    assert np.array_equal(stored.masks, right_mug.masks)
    assert stored.path.read_bytes() == right_mug.truth["rgb.mp4"]
    assert [p.name for p in folder.parent.iterdir()] == ["clip"]


def test_writing_again_changes_nothing(tmp_path: Path, right_mug: StudioClip) -> None:
    write_clip(tmp_path / "clip", right_mug)
    before = (tmp_path / "clip" / "rgb.mp4").stat().st_mtime_ns
    write_clip(tmp_path / "clip", right_mug)
    assert (tmp_path / "clip" / "rgb.mp4").stat().st_mtime_ns == before
    assert [p.name for p in tmp_path.iterdir()] == ["clip"]


def test_an_incomplete_clip_is_an_error(tmp_path: Path, right_mug: StudioClip) -> None:
    write_clip(tmp_path / "clip", right_mug)
    (tmp_path / "clip" / "contact.npy.gz").unlink()
    with pytest.raises(SourceError, match="rendered again"):
        read_clip(tmp_path / "clip")


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path, right_mug: StudioClip) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="writable"):
        write_clip(tmp_path / "file" / "clip", right_mug)


def test_other_parameters_are_kept_elsewhere(tmp_path: Path) -> None:
    a = clip_folder(tmp_path, 1, StudioParams())
    assert a == clip_folder(tmp_path, 1, StudioParams())
    assert a != clip_folder(tmp_path, 1, StudioParams(crf=30))
    assert a != clip_folder(tmp_path, 2, StudioParams())

from pathlib import Path

import pytest

from hoiset.errors import DatasetError
from hoiset.shards.atomic import atomic_file, write_atomic, writing


def test_file_appears_whole_and_alone(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a" / "b.bin") as file:
        file.write(b"x")
        assert not (tmp_path / "a" / "b.bin").exists()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.bin"]


def test_exception_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> None:
        with atomic_file(tmp_path / "b.bin") as file:
            file.write(b"new")
            raise KeyError

    write_atomic(tmp_path / "b.bin", b"old")
    with pytest.raises(KeyError):
        broken()
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("b.bin", b"old")]


def test_leftover_of_a_killed_process_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".b.bin.tmp").write_bytes(b"a longer leftover")
    write_atomic(tmp_path / "b.bin", b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("b.bin", b"new")]


def test_unwritable_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"cannot write .*file/b\.bin.*another output directory"):
        write_atomic(tmp_path / "file" / "b.bin", b"")


def test_an_error_of_the_caller_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), atomic_file(tmp_path / "b.bin"):
        raise BrokenPipeError


def test_a_full_disk_is_named() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full on this system")
    with pytest.raises(DatasetError, match="No space left"), writing(full), full.open("wb", buffering=0) as file:
        file.write(b"x")

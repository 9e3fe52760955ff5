"""New datasets are made beside their place and appear there when they are whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hoiset.errors import DatasetError
from hoiset.shards.atomic import writing


def check_apart(root: Path, out: Path) -> None:
    """Make sure that ``out`` is a new or empty directory apart from a dataset; raises DatasetError."""
    if out == root or root in out.parents or out in root.parents:
        raise DatasetError(f"found {out}, expected a directory apart from the dataset {root}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out} is not empty, expected a new or empty directory; choose another")


@contextmanager
def new_directory(out: Path) -> Iterator[Path]:
    """A directory, ``.<name>.partial``, that becomes ``out`` at the end of the block, or vanishes."""
    staging = out.with_name(f".{out.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        yield staging
        with writing(out):
            staging.replace(out)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise

"""Reading of files that others made: no pickle, no path outside the folder, one error type."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16

from hoiset.errors import DatasetError, MissingDependency


def existing(folder: Path, name: str) -> Path:
    """A file inside a folder.

    Raises:
        DatasetError: It is not there, or its name leads out of the folder.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DatasetError(f"found the name {name!r}, expected a file inside {folder}: the data set is damaged")
    if not path.is_file():
        raise DatasetError(f"found no {path}, expected a file of the data set: check the folder that was given")
    return path


def read_arrays(path: Path, expected: dict[str, tuple[int | None, ...]]) -> dict[str, np.ndarray]:
    """Named arrays of an ``.npz``, loaded without pickle.

    Args:
        path: The file.
        expected: Name -> shape, ``None`` for the common number of rows.

    Raises:
        DatasetError: Not such a file, an array is missing, has another shape, or holds objects.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in expected if name in archive.files}
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"found {path}, which cannot be read as .npz without pickle: {error}") from error
    missing = sorted(set(expected) - set(arrays))
    if missing:
        raise DatasetError(f"found {path} without {missing}, expected {sorted(expected)}")
    rows = {len(a) for a in arrays.values() if a.ndim}
    for name, shape in expected.items():
        found = arrays[name].shape
        fits = len(found) == len(shape) and all(n is None or n == m for n, m in zip(shape, found, strict=True))
        if not fits or len(rows) != 1:
            raise DatasetError(f"found {name} of shape {found} in {path}, expected {shape} with as many rows as others")
    return arrays


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        DatasetError: Not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"found {path}, which is not JSON: {error}") from error


def read_json_lines(path: Path) -> list[Any]:
    """The values in a file of one JSON value a line.

    Raises:
        DatasetError: A line is not JSON.
    """
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except ValueError as error:
        raise DatasetError(f"found {path} with a line that is not JSON: {error}") from error


def read_table(path: Path, columns: Collection[str]) -> list[dict[str, str]]:
    """Rows of a CSV file that has at least these columns.

    Raises:
        DatasetError: A column is missing.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = sorted(set(columns) - set(reader.fieldnames or ()))
        if missing:
            raise DatasetError(f"found {path} without the columns {missing}, expected {sorted(columns)}")
        return list(reader)


def number(value: Any, where: str) -> float:
    """A finite number.

    Raises:
        DatasetError: It is none.
    """
    try:
        out = float(value)
    except (TypeError, ValueError):
        out = float("nan")
    if not np.isfinite(out):
        raise DatasetError(f"found {value!r} in {where}, expected a finite number")
    return out


def read_image(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """An image as uint8 RGB.

    Raises:
        DatasetError: It cannot be decoded.
        MissingDependency: OpenCV is not installed.
    """
    return np.ascontiguousarray(_decode(path, colour=True)[..., ::-1])


def read_gray16(path: Path) -> UInt16[np.ndarray, "H W"]:
    """A 16-bit image of one channel; raises as :func:`read_image`."""
    image = _decode(path, colour=False)
    if image.dtype != np.uint16 or image.ndim != 2:
        raise DatasetError(f"found {path} of {image.dtype} {image.shape}, expected one channel of 16 bits")
    return image


def _decode(path: Path, *, colour: bool) -> np.ndarray:
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise MissingDependency("reading images needs OpenCV: pip install 'hoiset[build]'") from error
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR if colour else cv2.IMREAD_UNCHANGED) if len(data) else None
    if image is None:
        raise DatasetError(f"found {path}, which is no image that can be decoded")
    return np.asarray(image)

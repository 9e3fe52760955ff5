"""Reads a build and its ground truth, one clip at a time.

**Convention:** see :mod:`hoiset.shards.schema`. Times of a :class:`View` are seconds in the file of the source video.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from hoiset.errors import DatasetError
from hoiset.geometry import project
from hoiset.shards.glb import decode_objects
from hoiset.shards.index import list_versions, read_index
from hoiset.shards.reader import ShardReader, read_sample
from hoiset.shards.schema import HandSource, ObjectSource, ObjectState, members

Mesh = tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "F 3"]]
TIME_EPS_S = 1e-6


@dataclass(frozen=True)
class View:
    """What a sample says of hands and objects.

    Attributes:
        start_s: Time of the clip's first frame, s in the source's file; frames may have been left out since.
        time: (T,) s in the source's file.
        period_s: Median time between frames.
        joints: (T, 2, 21, 3) camera frame, m; NaN where absent.
        joints_2d: (T, 2, 21, 2) px / min(height, width), projected where the sample has none; NaN where absent.
        wrist: (T, 2, 4, 4) ``T_camera_wrist``; NaN where absent.
        hand: (T, 2) whether a hand is there.
        pose: (T, O, 4, 4) ``T_camera_object``; NaN where absent.
        there: (T, O) whether an object has a pose.
        state: (T, O) :class:`hoiset.shards.schema.ObjectState`.
        contact: (T, 2, O) m.
        meshes: O meshes, object frame, m.
        clip: ``clip.json``.
    """

    start_s: float
    time: Float[np.ndarray, "T"]
    period_s: float
    joints: Float[np.ndarray, "T 2 21 3"]
    joints_2d: Float[np.ndarray, "T 2 21 2"]
    wrist: Float[np.ndarray, "T 2 4 4"]
    hand: np.ndarray
    pose: Float[np.ndarray, "T O 4 4"]
    there: np.ndarray
    state: UInt8[np.ndarray, "T O"]
    contact: Float[np.ndarray, "T 2 O"]
    meshes: tuple[Mesh, ...]
    clip: dict[str, Any]

    @property
    def n_objects(self) -> int:
        """O."""
        return len(self.meshes)

    @property
    def K(self) -> Float[np.ndarray, "3 3"]:  # noqa: N802
        """Intrinsics, px."""
        return np.array(self.clip["camera"]["K"], float)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return int(self.clip["camera"]["width"]), int(self.clip["camera"]["height"])

    def moved(self) -> np.ndarray:
        """(O,) whether anybody or anything moves each object in these frames."""
        return np.asarray((self.state > ObjectState.STATIC).any(0))


class Corpus:
    """A version of a finished dataset, opened for reading clip by clip.

    Args:
        root: Its directory.
        version: Its version; the only one by default.

    Raises:
        DatasetError: No such dataset or version, or several and none was named.

    Attributes:
        rows: Rows of its index, sorted by key.
    """

    def __init__(self, root: Path, version: str | None = None) -> None:
        self.root = Path(root)
        self.version = version or _only_version(self.root)
        columns = ["key", "uid", "partition", "start_s", "end_s", "duration_s", "members"]
        self.rows: list[dict[str, Any]] = read_index(self.root, self.version, columns).to_pylist()
        self._reader = ShardReader(self.root)

    @cached_property
    def by_uid(self) -> Mapping[str, list[dict[str, Any]]]:
        """Index rows of every source video, in time order."""
        out: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in sorted(self.rows, key=lambda r: (r["uid"], r["start_s"] or 0.0, r["key"])):
            out[row["uid"]].append(row)
        return out

    def within(self, clip: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Index rows of the same video whose time overlaps a clip's, that of another corpus, in time order."""
        start, end = _span(clip)
        rows = ((row, *_span(row)) for row in self.by_uid.get(clip["uid"], ()))
        return [row for row, first, last in rows if first <= end and last >= start]

    def view(self, row: Mapping[str, Any]) -> View:
        """Read one clip's core layer.

        Raises:
            DatasetError: The core layer is not there, or damaged.
        """
        names = [m.name for m in members("core") if m.name != "hand_mano.npy.gz"]
        return make_view(read_sample(self._reader, row["members"], names))

    def close(self) -> None:
        """Close all files."""
        self._reader.close()


def make_view(sample: Mapping[str, Any]) -> View:
    """A sample's core members as float64, with times of the source's file."""
    clip, n = sample["clip.json"], len(sample["clip.json"]["objects"])
    time = np.asarray(sample["time.npy"], np.float64)
    joints = np.asarray(sample["hand_joints.npy.gz"], np.float64)
    K, short = np.array(clip["camera"]["K"], float), min(clip["camera"]["width"], clip["camera"]["height"])
    joints_2d = np.asarray(sample["hand_joints_2d.npy.gz"], np.float64)
    joints_2d = np.where(np.isfinite(joints_2d), joints_2d, project(K, joints)) / short
    start_s = float(clip["source"]["start_s"] or 0.0)
    return View(
        start_s=start_s,
        time=time + start_s,
        period_s=float(np.median(np.diff(time))) if len(time) > 1 else 0.0,
        joints=joints,
        joints_2d=joints_2d,
        wrist=_rigid(sample["hand_wrist.npy.gz"]),
        hand=np.asarray(sample["hand_source.npy"]) != HandSource.ABSENT,
        pose=_rigid(sample["object_pose.npy.gz"][:, :n]),
        there=np.asarray(sample["object_source.npy"][:, :n]) != ObjectSource.ABSENT,
        state=np.asarray(sample["object_state.npy"][:, :n]),
        contact=np.asarray(sample["contact.npy.gz"][:, :, :n], np.float64),
        meshes=tuple(
            (np.asarray(m.vertices, np.float64), np.asarray(m.faces)) for m in decode_objects(sample["objects.glb"])
        ),
        clip=clip,
    )


def _rigid(T: np.ndarray) -> Float[np.ndarray, "*B 4 4"]:
    """Poses in float64 with exact rotations: the trace of float32 ones is off by what 0.03 degrees make."""
    T = np.array(T, np.float64)
    present = np.isfinite(T).all((-1, -2))
    U, _, Vt = np.linalg.svd(T[present][:, :3, :3])
    T[present, :3, :3] = U @ Vt
    return T


def truth_root(truth: Path) -> Path:
    """The dataset in a directory that ``hoiset studio`` wrote, or the dataset itself."""
    truth = Path(truth)
    return truth / "truth" if (truth / "truth" / "index").is_dir() else truth


def _span(row: Mapping[str, Any]) -> tuple[float, float]:
    start = float(row["start_s"] or 0.0)
    return start, start + float(row["duration_s"])


def _only_version(root: Path) -> str:
    versions = list_versions(root)
    if len(versions) == 1:
        return versions[0]
    if not versions:
        raise DatasetError(f"{root} has no index/*.parquet; expected a directory that `hoiset build` finished")
    raise DatasetError(f"{root} has versions {', '.join(versions)}, expected one; name it with --split")

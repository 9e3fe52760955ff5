"""What became of a task, in a form that crosses a process border."""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hoiset.errors import (
    AcquireError,
    BackendUnavailable,
    ClipError,
    DatasetError,
    HoisetError,
    MissingDependency,
    RecipeError,
    SchemaError,
    VideoError,
)

_BUILD_ERRORS: tuple[type[HoisetError], ...] = (BackendUnavailable, DatasetError, MissingDependency, RecipeError)
_DISK_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_DETAIL_CHARS = 500


@dataclass(frozen=True)
class Outcome:
    """Result of one task.

    Attributes:
        value: What the handler returned, where all went well.
        reason: ``ok``, or one word for what stopped it.
        detail: One line for people.
        fatal: Whether every other task would fail as well, so that the build must stop.
        kind: Name of the package's error, for :meth:`error`; ``AcquireError`` where a remote video was not to be had.
        transient: Whether the next run may have more luck, so that the failure is reported but not recorded.
        seconds: How long the handler took.
    """

    value: Any = None
    reason: str = "ok"
    detail: str = ""
    fatal: bool = False
    kind: str = "HoisetError"
    transient: bool = False
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.reason == "ok"

    def error(self) -> HoisetError:
        """The package error to raise for a fatal outcome."""
        kinds = {kind.__name__: kind for kind in _BUILD_ERRORS}
        return kinds.get(self.kind, HoisetError)(self.detail)


def run_guarded(handler: Callable[[Any], Any], task: Any) -> Outcome:
    """Run one task; any exception becomes an outcome, since one clip's failure must not end the build."""
    began = time.perf_counter()
    try:
        outcome = Outcome(handler(task))
    except Exception as error:  # noqa: BLE001 (recorded in the clip's status row)
        outcome = failure(error)
    return replace(outcome, seconds=time.perf_counter() - began)


def failure(error: Exception, *, fatal: bool = False) -> Outcome:
    """The outcome of an exception."""
    disk = _disk_error(error)
    if disk is not None and not isinstance(error, DatasetError):
        error = DatasetError(
            f"cannot write {disk.filename or 'a file'}: {disk.strerror}; free some space and run again"
        )
    kind = type(error).__name__
    if isinstance(error, AcquireError):
        return Outcome(reason=error.reason, detail=_one_line(error.detail), kind=kind, transient=not error.final)
    if isinstance(error, ClipError):
        return Outcome(reason=error.reason, detail=_one_line(error.detail))
    if fatal or isinstance(error, _BUILD_ERRORS):
        return Outcome(reason="build_error", detail=str(error), fatal=True, kind=kind)
    if isinstance(error, VideoError):
        return Outcome(reason="video_error", detail=_one_line(str(error)))
    if isinstance(error, SchemaError):
        return Outcome(reason="schema_error", detail=_one_line(str(error)))
    return Outcome(reason="exception", detail=_one_line(f"{kind}: {error}{_place(error)}"))


def _disk_error(error: BaseException | None) -> OSError | None:
    """The full or read-only disk among an exception's causes, if there is one."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _DISK_ERRNOS:
            return error
        error = error.__cause__ or error.__context__
    return None


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_DETAIL_CHARS]

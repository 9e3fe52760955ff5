"""What goes wrong between this machine and the Hub: what is tried again, after how long, and how it is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from hoiset.errors import PushError
from hoiset.shards import transfer
from hoiset.shards.redact import redacted
from hoiset.shards.remote import Patience

STALL_S = 120.0
"""How long the Hub may be silent in the middle of a request; the Hub itself gives up on a commit after 60 s."""
LONGEST_RETRY_AFTER_S = 900.0
_MOVED_ON = (409, 412)
_LOGGERS = ("huggingface_hub.utils._http", "httpx", "httpx2")


def attempts(patience: Patience) -> Retrying:
    """Tries again what may pass: the network, a busy Hub, and a branch or tag that another push was faster with."""
    grows = wait_random_exponential(patience.first_wait_s, patience.longest_wait_s)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = _retry_after_s(error)
        return float(grows(state)) if asked is None else asked

    return Retrying(
        stop=stop_after_attempt(patience.attempts), wait=wait, retry=retry_if_exception(passes), reraise=True
    )


def passes(error: BaseException) -> bool:
    """Whether it is of use to look again how the repository stands, and to go on from there."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, (PushError, OfflineModeIsEnabled)):
        return False
    cause = _cause(error)
    return _status(cause) in _MOVED_ON or transfer.passes(cause) or type(cause) is RuntimeError  # of the Xet client


def _cause(error: BaseException) -> BaseException:
    """The Hub's client wraps what happened to one of several files."""
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _status(error: BaseException | None) -> int | None:
    found: Any = getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) else None


def _retry_after_s(error: BaseException | None) -> float | None:
    answer: Any = getattr(_cause(error) if error else None, "response", None)
    asked = str(getattr(answer, "headers", {}).get("Retry-After", ""))
    return min(float(asked), LONGEST_RETRY_AFTER_S) if asked.isdigit() else None


@contextmanager
def told(repo: str) -> Iterator[None]:
    """Turn errors of the Hub's client into :class:`PushError` without anything secret in it."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except (HfHubHTTPError, OfflineModeIsEnabled, RuntimeError, OSError, ValueError) as error:
        raise _explained(repo, _cause(error)) from None
    except Exception as error:
        if type(error).__module__.startswith(("httpx", "httpcore", "requests")):  # of the Hub's client, whichever it is
            raise _explained(repo, error) from None
        raise


def _explained(repo: str, error: BaseException) -> PushError:
    why, status = redacted(f"{type(error).__name__}: {error}"), _status(error)
    if status in (401, 403):
        hint = "log in with `hf auth login`, or set HF_TOKEN to a token that may write there"
    elif status in _MOVED_ON:
        hint = "somebody else keeps pushing there; push again when they are done"
    else:
        hint = "push again to go on: what has arrived is not sent again"
    return PushError(f"cannot push to {repo}: {why}; {hint}")


@contextmanager
def careful_client() -> Iterator[None]:
    """Let the Hub's client wait no longer than :data:`STALL_S`, draw no bars, and log no signed address."""
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
        get_session,
    )

    drawn = not are_progress_bars_disabled()
    if drawn:
        disable_progress_bars()
    client: Any = get_session()
    before, client.timeout = client.timeout, STALL_S
    redaction = _Redaction()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(redaction)
    try:
        yield
    finally:
        client.timeout = before
        if drawn:
            enable_progress_bars()
        for logger in loggers:
            logger.removeFilter(redaction)


class _Redaction(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), ()
        return True

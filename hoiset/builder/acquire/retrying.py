"""How long to wait before another attempt."""

from __future__ import annotations

from tenacity import RetryCallState, wait_exponential_jitter

from hoiset.builder.acquire.params import AcquireParams


def wait_s(state: RetryCallState, params: AcquireParams) -> float:
    """What the host asks for, or twice as long as before with as much again at random; s, within the recipe's bound.

    Args:
        state: Of the attempts so far.
        params: ``backoff_s`` and ``max_wait_s``.
    """
    error = state.outcome.exception() if state.outcome else None
    asked_s = getattr(error, "retry_after_s", None)
    if asked_s is not None:
        return min(float(asked_s), params.max_wait_s)
    backoff = wait_exponential_jitter(multiplier=params.backoff_s, max=params.max_wait_s, jitter=params.backoff_s)
    return float(backoff(state))

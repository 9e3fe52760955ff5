from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hoiset.builder.acquire.failures import FAILURES, failure, retry_after_s


@pytest.mark.parametrize("reason", FAILURES)
def test_a_cause_says_whether_asking_again_helps(reason: str):
    assert failure(reason, "x").final is FAILURES[reason].final
    assert failure(reason, "x", final=False).final is False


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("120", 120.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("9" * 400, 999999999.0),
    ],
)
def test_retry_after(header: str | None, seconds: float | None):
    assert retry_after_s(header, datetime(2026, 11, 21, 12, tzinfo=UTC)) == seconds

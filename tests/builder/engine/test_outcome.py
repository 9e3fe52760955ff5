import errno

import pytest

from hoiset.builder.engine.outcome import failure, run_guarded
from hoiset.errors import AcquireError, ClipError, DatasetError


@pytest.mark.parametrize(("final", "transient"), [(True, False), (False, True)])
def test_only_a_final_failure_to_fetch_is_worth_recording(final, transient):
    def fetch(_):
        raise AcquireError("network", "timed out\nafter 20 s", final=final)

    outcome = run_guarded(fetch, None)
    assert (outcome.reason, outcome.detail) == ("network", "timed out after 20 s")
    assert (outcome.kind, outcome.transient, outcome.fatal) == ("AcquireError", transient, False)


def test_other_failures_of_a_clip_are_no_failures_to_fetch():
    outcome = failure(ClipError("no_hands", "none"))
    assert (outcome.reason, outcome.kind, outcome.transient) == ("no_hands", "HoisetError", False)


def test_a_full_disk_stops_the_build_also_while_fetching():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/cache/x.part")
        except OSError as full:
            raise AcquireError("network", "gave up", final=False) from full
    except AcquireError as error:
        outcome = failure(error)
    assert outcome.fatal
    assert isinstance(outcome.error(), DatasetError)

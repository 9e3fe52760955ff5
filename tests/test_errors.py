import copy
import pickle

import pytest

from hoiset.errors import AcquireError, ClipError


@pytest.mark.parametrize("final", [True, False])
def test_a_failure_to_fetch_crosses_a_process_border_whole(final):
    error = pickle.loads(pickle.dumps(AcquireError("geo", "not in your country", final=final)))
    assert isinstance(error, AcquireError)
    assert isinstance(error, ClipError)
    assert (error.reason, error.detail, error.final) == ("geo", "not in your country", final)
    assert str(copy.copy(error)) == "geo: not in your country"

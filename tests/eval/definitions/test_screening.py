import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hoiset.eval import definitions as d

OUTCOMES = (d.PASSES, "static_camera", "hands")
PAIRS = st.lists(st.tuples(st.sampled_from(OUTCOMES), st.sampled_from(OUTCOMES)), min_size=1, max_size=40)


def test_by_hand():
    true = ["passes", "passes", "static_camera", "hands", "hands"]
    pred = ["passes", "hands", "static_camera", "static_camera", "hands"]
    # Kept: one right, none wrong, one lost.
    assert d.kept_counts(pred, true) == d.Counts(1, 0, 1)
    # The camera gate stops its one, and one that hands should have stopped.
    assert d.gate_counts(pred, true, "static_camera") == d.Counts(1, 1, 0)
    assert d.gate_counts(pred, true, "hands") == d.Counts(1, 1, 1)
    np.testing.assert_array_equal(d.outcome_confusion(pred, true, OUTCOMES), [[1, 0, 1], [0, 1, 0], [0, 1, 1]])


def test_an_unknown_outcome_is_refused():
    with pytest.raises(ValueError, match=r"found outcomes \['motion'\]"):
        d.outcome_confusion(["motion"], ["passes"], OUTCOMES)


@given(PAIRS)
@settings(max_examples=30, deadline=None)
def test_as_scikit_learn(pairs):
    pred, true = map(list, zip(*pairs, strict=True))
    np.testing.assert_array_equal(
        d.outcome_confusion(pred, true, OUTCOMES), sk.confusion_matrix(true, pred, labels=OUTCOMES)
    )
    precision, recall, _, _ = sk.precision_recall_fscore_support(true, pred, labels=OUTCOMES, zero_division=np.nan)
    for gate, p, r in zip(OUTCOMES, precision, recall, strict=True):
        counts = d.gate_counts(pred, true, gate)
        np.testing.assert_allclose([counts.precision, counts.recall], [p, r])

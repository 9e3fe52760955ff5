import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoiset.builder.studio.actions import ACTIONS, cast, n_handled
from hoiset.builder.studio.actions.words import say
from hoiset.builder.studio.objects import build_prop
from hoiset.builder.studio.params import OBJECT_KINDS, PART_KINDS
from hoiset.builder.words import parse_action


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.6, 1.1))
def test_a_cast_is_consistent(seed: int, scale: float) -> None:
    chosen = cast(np.random.default_rng(seed), hand_scale=scale)
    assert chosen == cast(np.random.default_rng(seed), hand_scale=scale)
    assert chosen.action in ACTIONS
    assert chosen.n_handled == n_handled(chosen.action) <= len(chosen.kinds) <= 4
    assert set(chosen.kinds) <= {*OBJECT_KINDS, *PART_KINDS}
    for k, first in enumerate(chosen.copies):
        assert first <= k
        assert chosen.copies[first] == first
        assert chosen.kinds[first] == chosen.kinds[k]
    assert chosen.copies[: chosen.n_handled] == tuple(range(chosen.n_handled))
    assert 2.0 < chosen.duration_s < 10.0
    assert "lid" not in chosen.kinds[chosen.n_handled :]


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_can_be_asked_for(action: str) -> None:
    for scale in (0.65, 1.0):
        assert cast(np.random.default_rng(0), action=action, hand_scale=scale).action == action


def test_what_does_not_suit_is_an_error() -> None:
    with pytest.raises(ValueError, match="found no things for stir"):
        cast(np.random.default_rng(0), action="stir", kinds=("mug", "box"))
    with pytest.raises(ValueError, match="give more kinds"):
        cast(np.random.default_rng(0), action="pour", handled="ball")


def test_copies_and_lone_things_both_occur() -> None:
    casts = [cast(np.random.default_rng(s)) for s in range(80)]
    assert any(len(set(c.copies)) < len(c.copies) for c in casts)
    assert any(len(c.kinds) == 1 for c in casts)
    assert any(len(c.kinds) == 4 for c in casts)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_verb_is_the_one_that_the_sentence_has(action: str) -> None:
    pot = build_prop("pot", np.random.default_rng(0))
    things = [pot, build_prop("lid", np.random.default_rng(0), fits=pot)][: max(1, n_handled(action))]
    for seed in range(6):
        sentence, verb, nouns = say(action, things, np.random.default_rng(seed))
        assert parse_action(sentence, nouns).verb == verb
        assert nouns == tuple(t.noun for t in things)

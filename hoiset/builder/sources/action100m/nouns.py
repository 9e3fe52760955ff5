"""The objects of a segment: nouns of its own words, each with the field that it was read from."""

from __future__ import annotations

from collections.abc import Iterable

from hoiset.builder.sources.action100m.params import NounParams, PrefilterParams
from hoiset.builder.sources.action100m.tree import Caption
from hoiset.builder.words import clause_verbs, is_past_participle, noun_lemmas, object_phrases

BRIEF = "gpt.action.brief"
DETAILED = "gpt.action.detailed"


class Nouns:
    """The rules of :class:`NounParams`, ready to read many captions."""

    def __init__(self, params: NounParams, verbs: PrefilterParams) -> None:
        self._params = params
        self._not_objects = frozenset(params.not_objects)
        self._not_visual = frozenset(params.not_visual)
        self._verbs = frozenset((*verbs.manipulating_verbs, *verbs.handling_verbs, *verbs.idle_verbs))

    def read(self, caption: Caption) -> tuple[tuple[str, str], ...]:
        """(noun, field) in order of the text, the brief action's before the detailed action's.

        A noun is the source's own word in the singular, after the words before it that say what it looks like. One of
        the detailed action counts only where the summary says it too, as what it names in passing is seldom handled,
        and a bare word of it that may be a verb ("lift", "press") is taken for one.
        """
        told = noun_lemmas(caption.summary)
        found: dict[str, tuple[str, str]] = {}
        for phrase in self._things(caption.brief):
            found.setdefault(phrase[-1], (" ".join(phrase), BRIEF))
        for phrase in self._things(caption.detailed):
            if phrase[-1] in told and not (len(phrase) == 1 and phrase[-1] in self._verbs):
                found.setdefault(phrase[-1], (" ".join(phrase), DETAILED))
        return tuple(found.values())[: self._params.max_objects]

    def _things(self, text: str) -> Iterable[tuple[str, ...]]:
        verbs = self._verbs.intersection(clause_verbs(text))
        for *before, head in object_phrases(text):
            if head in self._not_objects or "camera" in before:
                continue
            looks = before[1:] if before and before[0] in verbs else before  # "open and [close] the locker"
            kept = [word for word in looks if word not in self._not_visual and not is_past_participle(word)]
            yield (*kept[len(kept) - min(self._params.max_modifiers, len(kept)) :], head)

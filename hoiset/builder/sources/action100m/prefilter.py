"""Which texts speak of hands that manipulate something: weighed word by word, before any video is fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hoiset.builder.sources.action100m.params import PrefilterParams
from hoiset.builder.sources.action100m.tree import Caption
from hoiset.builder.words import clause_verbs, object_phrases, parse_action

_WORN = re.compile(r"\b(?:with|wearing|in|on|wears|dressed)\b|,")
_ARTICLES = frozenset({"a", "an", "the"})


@dataclass(frozen=True)
class Evidence:
    """What the words of a segment say.

    Attributes:
        score: Sum of the weights.
        parts: Name of the rule -> its weight, for those that hold.
    """

    score: float
    parts: dict[str, float]


class Prefilter:
    """The rules of :class:`PrefilterParams`, ready to weigh many captions."""

    def __init__(self, params: PrefilterParams) -> None:
        self._params = params
        self._manipulating = frozenset(params.manipulating_verbs)
        self._handling = frozenset(params.handling_verbs)
        self._idle = frozenset(params.idle_verbs)
        self._hands = frozenset(params.hands)
        self._handless = frozenset(params.handless_actors)
        self._screen = frozenset(params.screen_words)

    def passes(self, caption: Caption) -> bool:
        """Whether the segment is worth screening."""
        return self.weigh(caption).score >= self._params.min_score

    def weigh(self, caption: Caption) -> Evidence:
        """Weigh a caption.

        The verbs of the brief action count once, as the first class that lists any of them: manipulating, handling,
        idle. They are idle, too, where nothing but hands is named ("Raise left hand"). An actor is handless when it is
        absent, names one of the handless, or is the object itself ("the locker" opens the locker), and names no hand;
        what the actor wears or carries is not read.
        """
        params, said = self._params, {}
        things = {word for phrase in object_phrases(caption.brief) for word in phrase}
        brief, actor = _words(caption.brief), _words(_WORN.split(caption.actor, maxsplit=1)[0])
        told = _words(caption.detailed) | _words(caption.summary)
        empty_handed = not things and bool(brief & self._hands)
        said["verb"] = params.idle if empty_handed else self._verb_weight(caption.brief)
        if self._manipulating.intersection(clause_verbs(caption.detailed)):
            said["detailed"] = params.detailed
        if actor & self._hands:
            said["hand_actor"] = params.hand_actor
        elif actor & self._handless or actor - _ARTICLES <= things:
            said["handless_actor"] = params.handless_actor
        if told & self._hands:
            said["hand_words"] = params.hand_words
        if len(self._screen & (told | actor | brief)) >= params.min_screen_words:
            said["screen"] = params.screen
        parts = {name: weight for name, weight in said.items() if weight}
        return Evidence(sum(parts.values()), parts)

    def _verb_weight(self, brief: str) -> float:
        verbs = {parse_action(brief, ()).verb, *clause_verbs(brief)}
        if verbs & self._manipulating:
            return self._params.manipulating
        if verbs & self._handling:
            return self._params.handling
        return self._params.idle if verbs & self._idle else 0.0


def _words(text: str) -> frozenset[str]:
    """Lower-case words; "N/A" is ``na``, and a hyphen joins, so that "pop-up" is a word."""
    plain = text.lower().replace("n/a", "na").replace("\u2010", "-").replace("\u2011", "-").replace("\u2019", "'")
    return frozenset(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", plain.replace("'s", "")))

"""Every rule by which segments are chosen, in the recipe's ``[source.action100m]``."""

from __future__ import annotations

from pydantic import Field, model_validator

from hoiset.builder.params import Params
from hoiset.builder.sources.action100m import vocabulary


class PrefilterParams(Params):
    """How the words of a segment are weighed; see :func:`~hoiset.builder.sources.action100m.prefilter.weigh`.

    Attributes:
        min_score: Least score of a segment that is worth screening.
        manipulating: Weight of a main verb among ``manipulating_verbs``.
        handling: Weight of one among ``handling_verbs``.
        idle: Weight of one among ``idle_verbs`` and of no other class.
        detailed: Weight of any manipulating verb in the detailed action.
        hand_actor: Weight of a hand word in the actor.
        hand_words: Weight of a hand word in the detailed action or the summary.
        handless_actor: Weight of an actor that has no hands.
        screen: Weight of words about a computer's screen.
        min_screen_words: So many different ones make the weight count.
        manipulating_verbs: Lemmas.
        handling_verbs: Lemmas.
        idle_verbs: Lemmas.
        hands: Hand words, as they stand in a text.
        handless_actors: Words of actors without hands.
        screen_words: Words of computer screens.
    """

    min_score: float = Field(default=2.0, allow_inf_nan=False)
    manipulating: float = Field(default=2.0, allow_inf_nan=False)
    handling: float = Field(default=1.0, allow_inf_nan=False)
    idle: float = Field(default=-2.0, allow_inf_nan=False)
    detailed: float = Field(default=0.5, allow_inf_nan=False)
    hand_actor: float = Field(default=1.0, allow_inf_nan=False)
    hand_words: float = Field(default=0.5, allow_inf_nan=False)
    handless_actor: float = Field(default=-2.0, allow_inf_nan=False)
    screen: float = Field(default=-4.0, allow_inf_nan=False)
    min_screen_words: int = Field(default=2, ge=1)
    manipulating_verbs: tuple[str, ...] = vocabulary.MANIPULATING_VERBS
    handling_verbs: tuple[str, ...] = vocabulary.HANDLING_VERBS
    idle_verbs: tuple[str, ...] = vocabulary.IDLE_VERBS
    hands: tuple[str, ...] = vocabulary.HAND_WORDS
    handless_actors: tuple[str, ...] = vocabulary.HANDLESS_ACTORS
    screen_words: tuple[str, ...] = vocabulary.SCREEN_WORDS


class NounParams(Params):
    """Which nouns become a segment's objects.

    Attributes:
        max_objects: At most so many.
        max_modifiers: At most so many words before each noun that say what it looks like.
        not_objects: Nouns that are left out: fixed surfaces, places, and words for no thing. Body parts and people
            always are.
        not_visual: Words before a noun that are left out: states and sizes.
    """

    max_objects: int = Field(default=5, ge=0)
    max_modifiers: int = Field(default=2, ge=0)
    not_objects: tuple[str, ...] = vocabulary.NOT_OBJECTS
    not_visual: tuple[str, ...] = vocabulary.NOT_VISUAL


class Action100MParams(Params):
    """Which segments of a video's tree are candidates.

    Attributes:
        min_duration_s: Shortest segment.
        max_duration_s: Longest segment.
        no_action: What the annotation writes for "no action", whatever the case; an empty one is none either.
        covered_share: A segment is dropped where chosen descendants cover this share of its time or more; where they
            cover less, they are dropped and it stays.
        licence: Of the footage, where it is known to have one; the annotations do not say.
        prefilter: Which texts speak of hands at work.
        nouns: Which of their nouns are objects.
    """

    min_duration_s: float = Field(default=4.0, ge=0, allow_inf_nan=False)
    max_duration_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    no_action: tuple[str, ...] = ("N/A",)
    covered_share: float = Field(default=0.5, gt=0, le=1)
    licence: str = ""
    prefilter: PrefilterParams = PrefilterParams()
    nouns: NounParams = NounParams()

    @model_validator(mode="after")
    def _shortest_first(self) -> Action100MParams:
        if self.max_duration_s < self.min_duration_s:
            raise ValueError(f"max_duration_s is {self.max_duration_s:g}, expected at least {self.min_duration_s:g}")
        return self

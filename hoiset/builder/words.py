"""Verb and object nouns of a clip, from what its source says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import lemminflect

MAX_SENTENCE_NOUNS = 5


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_DETERMINERS = _set(
    "a an the this that these those my your his her its their our some any each every both all another other several "
    "many few no one two three four five six seven eight nine ten"
)
_PRONOUNS = _set("i you he she it we they them him us me someone somebody something everything itself")
_AUXILIARIES = _set("is are was were be being been am has have had can will would could should may must")
_LINKS = _set(
    "of in on onto into to from with without at by for off over under out up down through across along around about "
    "above below behind beside between near next inside outside against toward towards away back again together apart "
    "aside and or but then while when before after until as using via per than so if not there here it's which who "
    "that shut upside upright again twice once only just also too very forth left right top bottom"
)
_LEADS = _set("how to please then first firstly second next finally now lastly and afterwards step")
_CONTROL_VERBS = _set("start begin continue keep try finish stop proceed learn attempt want need")
_POSTURES = _set("wear sit stand kneel dress lean lie")
_PEOPLE = _set(
    "person people man woman men women boy girl child kid children guy lady player worker user human adult chef cook "
    "presenter host creator demonstrator maker operator"
)
_BODY = _set(
    "hand finger thumb fingertip palm wrist arm forearm elbow shoulder fist knuckle nail leg foot knee head face eye "
    "mouth body"
)
_CONTAINERS_OF = _set(
    "piece pair set lot bit bunch slice cup glass spoonful handful number kind type part half couple drop pinch top "
    "side front back left right middle end edge surface inside"
)
_NOT_THINGS = _set("way time side direction order place top front middle end edge motion position camera video")
_CLAUSE_STARTS = _set("and then or it that which ,")
_CLAUSE_OPENERS = _set(", and then")
_PARTICLES = _set("up out off away down on")
_PARTICIPLES = ("ing", "ed", "en")
_NEVER_VERBS = _LINKS | _DETERMINERS | _PRONOUNS | _AUXILIARIES
_PHRASE_ENDS = _NEVER_VERBS | {",", ":"}
_NO_OBJECTS = _PEOPLE | _BODY | _NOT_THINGS


@dataclass(frozen=True)
class Words:
    """What a clip is about.

    Attributes:
        verb: Lemma, or ``""``.
        verb_source: ``action`` (read from the action sentence) or ``absent``.
        objects: Nouns: the source's own where it gives any, else lemmas from the sentence, in its order.
    """

    verb: str
    verb_source: str
    objects: tuple[str, ...]


def parse_action(action: str, nouns: tuple[str, ...]) -> Words:
    """Read the verb, and the nouns where the source gives none, from an action sentence.

    A dictionary of inflections (lemminflect) says which words can be verbs and nouns; their places decide.
    English only: a sentence whose verb is not found yields an empty verb, never a guess.

    Args:
        action: ``"Push the plate"``, ``"A person is pushing a plate"``, ``"pushing plate"``, or ``""``.
        nouns: Object nouns of the source; kept as they are (repeats stand for several such objects).

    Returns:
        The words. From a sentence at most :data:`MAX_SENTENCE_NOUNS` nouns, without body parts and people.
    """
    given = tuple(noun.strip() for noun in nouns if noun.strip())
    words = _tokens(action)
    at = _verb_index(words)
    if at is None:
        return Words("", "absent", given)
    return Words(_verb_lemma(words[at]), "action", given or _nouns_after(words, at))


def clause_verbs(text: str) -> tuple[str, ...]:
    """Lemmas of the verbs that open a clause of a text's first sentence: "Lift the lid, stir and pour it" has three."""
    words = _tokens(text)
    openings = [at for at in range(len(words)) if at == 0 or words[at - 1] in _CLAUSE_OPENERS]
    return tuple(_verb_lemma(words[at]) for at in openings if words[at] != "," and _is_verb(words[at]))


def object_phrases(sentence: str) -> tuple[tuple[str, ...], ...]:
    """Noun phrases of things after the main verb: the words before each noun as they stand, then the noun's lemma.

    Without body parts and people, each noun once, in the sentence's order; none where no verb is found.
    """
    words = _tokens(sentence)
    at = _verb_index(words)
    return () if at is None else tuple(_phrases_after(words, at).values())


def is_past_participle(word: str) -> bool:
    """Whether a word says what was done to a thing: "wrapped", "broken"; not "red", nor the "cutting" of a board."""
    return word.endswith(("ed", "en")) and bool(_lemmas(word, "VERB")) and word not in _lemmas(word, "VERB")


def noun_lemmas(text: str) -> frozenset[str]:
    """Lemmas of all words of a text's first sentence that can be nouns, whatever they are there."""
    return frozenset(_noun_lemma(word) for word in _tokens(text) if _lemmas(word, "NOUN"))


def _tokens(sentence: str) -> list[str]:
    """Lower-case words of the first sentence; ``","`` stands for every pause."""
    text = unicodedata.normalize("NFKC", sentence).lower().replace("\u2010", "-").replace("\u2019", "'")
    text = re.split(r"[.!?;](?:\s|$)", text.strip(), maxsplit=1)[0]
    words = re.findall(r"[^\W\d_]+(?:[-'][^\W\d_]+|'(?=\s))*|[,:]", text)
    return [re.sub(r"'s?$", "'s", word) if "'" in word else word for word in words]


@lru_cache(maxsize=1 << 16)
def _entry(word: str) -> Mapping[str, tuple[str, ...]]:
    """What the dictionary says of a word, by part of speech; it takes long to ask and is asked often."""
    return MappingProxyType(lemminflect.getAllLemmas(word))


def _lemmas(word: str, kind: str) -> tuple[str, ...]:
    return _entry(word).get(kind, ())


def _noun_lemma(word: str) -> str:
    lemmas = _lemmas(word, "NOUN")
    if word in lemmas and not (word.endswith("s") and len(lemmas) > 1):
        return word
    return next((lemma for lemma in lemmas if word.endswith("ves") and lemma.endswith(("f", "fe"))), lemmas[0])


@lru_cache(maxsize=1 << 16)
def _verb_lemma(word: str) -> str:
    known = _lemmas(word, "VERB") or lemminflect.getLemma(word, upos="VERB")
    return word if word in known else known[0]


def _is_verb(word: str) -> bool:
    return word not in _NEVER_VERBS and bool(_lemmas(word, "VERB"))


def _is_adverb(word: str) -> bool:
    return word.endswith("ly") and not _lemmas(word, "VERB") and not _lemmas(word, "NOUN")


def _is_participle(word: str) -> bool:
    return _is_verb(word) and word.endswith("ing") and _verb_lemma(word) != word


def _is_third_person(word: str) -> bool:
    return word.endswith("s") and _is_verb(word) and _verb_lemma(word) != word


def _is_past(word: str) -> bool:
    return (
        _is_verb(word) and word in lemminflect.getInflection(_verb_lemma(word), tag="VBD") and word != _verb_lemma(word)
    )


def _is_agent(word: str) -> bool:
    singular = {word.removesuffix("'s"), *_lemmas(word.removesuffix("'s"), "NOUN")}
    return bool(singular & (_PEOPLE | _BODY))


def _verb_index(words: list[str]) -> int | None:
    """Where the main verb stands, or ``None``."""
    start = 0
    while start < len(words) and (words[start] in _LEADS or words[start] == "," or _is_adverb(words[start])):
        start += 1
    if start == len(words):
        return None
    first, rest = words[start], words[start + 1 :]
    hands_over = bool(rest) and rest[0] in _DETERMINERS
    if first in _DETERMINERS | _PRONOUNS or (_is_agent(first) and not hands_over):
        return _verb_after_subject(words, start)
    if rest and _is_participle(rest[0]) and _lemmas(first, "NOUN") and not _is_participle(first):
        names_an_action = len(rest) == 1 or rest[1] in _LINKS | {","}
        if names_an_action and _verb_lemma(first) not in _CONTROL_VERBS:
            return start + 1
    if _is_verb(first) or (hands_over and first.isascii() and not _entry(first)):
        return _past_control_verbs(words, start)
    return _verb_after_subject(words, start) if _lemmas(first, "NOUN") or _lemmas(first, "ADJ") else None


def _past_control_verbs(words: list[str], at: int) -> int:
    """From "start to mix", "keep mixing" to the verb that says what is done."""
    follower = at + 1
    if _verb_lemma(words[at]) not in _CONTROL_VERBS or follower >= len(words):
        return at
    if words[follower] == "to":
        follower += 1
        return follower if follower < len(words) and _is_verb(words[follower]) else at
    return follower if _is_participle(words[follower]) else at


def _verb_after_subject(words: list[str], start: int) -> int | None:
    """The finite verb or participle that follows a subject: "the man's left hand [pushes] ..."."""
    posture = False
    for at in range(start, len(words)):
        word, before, after = words[at], words[max(at - 1, 0)], words[min(at + 1, len(words) - 1)]
        if word in _AUXILIARIES:
            chosen = next((i for i in range(at + 1, min(at + 4, len(words))) if not _is_adverb(words[i])), None)
            if chosen is not None and _is_verb(words[chosen]):
                return chosen
        if at == start or not _is_verb(word) or before in _DETERMINERS or word.endswith("'s"):
            continue
        if _is_participle(word):
            if _verb_lemma(word) in _POSTURES:
                posture = True
            elif not posture and before not in _LINKS:
                return at
        elif before in _LINKS or (_is_agent(word) and after not in _DETERMINERS):
            continue
        elif _is_third_person(word) and not (_is_third_person(after) and after != word):
            return _past_control_verbs(words, at)
        elif not posture and (_is_past(word) or (_is_plural(before) and not _is_participle(after))):
            return at
    return None


def _is_plural(word: str) -> bool:
    """Whether a base form may follow: "hands [flip]", "they carefully [flip]"."""
    if word in {"they", "we", "you", "i", "people", "men", "women", "children"} or _is_adverb(word):
        return True
    singulars = _lemmas(word, "NOUN")
    return bool(singulars) and word not in singulars


def _nouns_after(words: list[str], verb: int) -> tuple[str, ...]:
    """Heads of the noun phrases after the verb."""
    return tuple(_phrases_after(words, verb))[:MAX_SENTENCE_NOUNS]


def _phrases_after(words: list[str], verb: int) -> dict[str, tuple[str, ...]]:
    """Noun phrases after the verb by their heads, each with the words before the head and the head itself."""
    phrases: list[tuple[str, ...]] = []
    phrase: list[str] = []
    narrated = _is_third_person(
        words[verb]
    )  # then "and folds" goes on with the tale; after "Wash", "and spoons" does not
    for at in range(verb + 1, len(words) + 1):
        word = words[at] if at < len(words) else ","
        goes_on = at < len(words) and narrated and words[at - 1] in _CLAUSE_STARTS and _is_third_person(word)
        if not (goes_on or _ends_phrase(words, at)):
            phrase.append(word)
            continue
        if word != "of" or not phrase or not {phrase[-1], *_lemmas(phrase[-1], "NOUN")} & _CONTAINERS_OF:
            phrases.extend(_to_head(phrase))
        phrase = []
    found: dict[str, tuple[str, ...]] = {}
    for named in phrases:
        if named[-1] not in _NO_OBJECTS:
            found.setdefault(named[-1], named)
    return found


def _ends_phrase(words: list[str], at: int) -> bool:
    if at >= len(words):
        return True
    word = words[at]
    if word in _PHRASE_ENDS or word.endswith("'s") or _is_adverb(word):
        return True
    # "cut the onion and fry it", "stir while holding the bowl", "open it and take out a mug"
    after = words[at + 1] if at + 1 < len(words) else ""
    opens_clause = after in _DETERMINERS | _PRONOUNS or (
        words[at - 1] in {"and", "then", "to", ","} and after in _PARTICLES
    )
    return opens_clause and _is_verb(word)


def _to_head(phrase: list[str]) -> list[tuple[str, ...]]:
    """The phrase up to the last word that can be a noun, which becomes its lemma: "glasses filled" -> glass."""
    for at in range(len(phrase) - 1, -1, -1):
        word, before = phrase[at], tuple(phrase[:at])
        entry = _entry(word)
        if "NOUN" in entry:
            return [(*before, _noun_lemma(word))]
        # the dictionary has gaps ("pan" is only a verb in it), so position decides for what looks like no participle
        if not entry.keys() - {"VERB", "PROPN"} and not word.endswith(_PARTICIPLES):
            return [(*before, lemminflect.getLemma(word, upos="NOUN")[0])]
    return []

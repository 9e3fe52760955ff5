"""Forms of a query's words: which verbs and nouns of an index they stand for.

The builder finds lemmas with a dictionary of inflections, which takes a second to load and is no part of the base
install. A query needs less: the index holds lemmas, so it is enough to name every form that a word of the query may
be reduced to; a form that is no word is in no index. Spelling rules and a list of irregular words do that.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

VERBS_FILE = "verbs.toml"
_VOWELS = "aeiou"
_HISSING_ES = ("ses", "xes", "zes", "ches", "shes", "oes")
_CLOSED = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")
"""One syllable that would double its last letter: "tap" gives "tapping", so "taping" is of "tape"."""

_IRREGULAR_VERBS = """
beaten>beat bent>bend bit>bite bitten>bite blew>blow blown>blow bought>buy bound>bind broke>break broken>break
brought>bring built>build burnt>burn caught>catch came>come crept>creep dealt>deal did>do done>do drank>drink
drawn>draw drew>draw driven>drive drove>drive drunk>drink dug>dig dying>die ate>eat eaten>eat fallen>fall fed>feed
fell>fall felt>feel flew>fly flung>fling frozen>freeze froze>freeze gave>give given>give gone>go ground>grind
held>hold hidden>hide hung>hang kept>keep knelt>kneel laid>lay lain>lie lay>lie leant>lean left>leave lit>light
lying>lie made>make paid>pay ran>run rang>ring rode>ride rung>ring sat>sit saw>see sawn>saw seen>see sent>send
sewn>sew shaken>shake shook>shake shone>shine shot>shoot shown>show shrank>shrink slid>slide slung>sling sold>sell
spat>spit spilt>spill spoken>speak sprang>spring spun>spin stood>stand stole>steal stolen>steal stricken>strike
struck>strike stuck>stick swam>swim swept>sweep swung>swing taken>take taught>teach threw>throw thrown>throw tied>tie
tore>tear torn>tear took>take trodden>tread tying>tie went>go wept>weep woke>wake wore>wear worn>wear wound>wind
wove>weave woven>weave wrapt>wrap wrote>write written>write wrung>wring
"""
_IRREGULAR_NOUNS = """
axes>axis bases>basis brethren>brother cacti>cactus children>child dice>die feet>foot fungi>fungus geese>goose
lice>louse men>man mice>mouse oxen>ox people>person teeth>tooth women>woman
"""


def _pairs(text: str) -> dict[str, str]:
    return dict(pair.split(">") for pair in text.split())


_VERBS, _NOUNS = _pairs(_IRREGULAR_VERBS), _pairs(_IRREGULAR_NOUNS)


def plain_words(text: str) -> str:
    """Words as they are compared: lower case, one space between them."""
    return " ".join(text.lower().split())


def verb_lemmas(word: str) -> set[str]:
    """Everything that a verb's form may be a form of, itself included: "tipping" -> tipping, tipp, tippe, tip."""
    found = {word} | ({_VERBS[word]} if word in _VERBS else set())
    if word.endswith("s") and not word.endswith("ss"):
        found |= _without_s(word)
    if word.endswith("ied") and len(word) > 4:
        found |= {word[:-3] + "y", word[:-1]}
    if word.endswith("ying"):
        found.add(word[:-4] + "ie")
    for suffix in ("ing", "ed"):
        stem = word.removesuffix(suffix)
        if stem != word and any(c in "aeiouy" for c in stem):
            found |= {stem + "e"} if _CLOSED.fullmatch(stem) else {stem, stem + "e"}
            if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in _VOWELS:
                found.add(stem[:-1])
    return found


def noun_lemmas(word: str) -> set[str]:
    """Everything that a noun's form may be a plural of, itself included: "knives" -> knives, knive, knif, knife."""
    found = {word} | ({_NOUNS[word]} if word in _NOUNS else set())
    compound = next((p for p in _NOUNS if len(p) > 2 and word.endswith(p) and p in ("men", "women", "children")), None)
    if compound is not None:
        found.add(word.removesuffix(compound) + _NOUNS[compound])
    if len(word) < 4 or word.endswith("ss"):
        return found
    if word.endswith("ves"):
        found |= {word[:-3] + "f", word[:-3] + "fe"}
    return found | (_without_s(word) if word.endswith("s") else set())


def _without_s(word: str) -> set[str]:
    found = {word[:-1]}
    if word.endswith("ies") and len(word) > 4:
        found.add(word[:-3] + "y")
    elif word.endswith(_HISSING_ES):
        found.add(word[:-2])
    if word.endswith(("sses", "zzes")):
        found.add(word[:-3])
    return found


def noun_plurals(word: str) -> set[str]:
    """Plurals that a noun may have: "knife" -> knifes, knives."""
    found = {word + "s"} | {plural for plural, single in _NOUNS.items() if single == word}
    if word.endswith(("s", "x", "z", "ch", "sh", "o")):
        found.add(word + "es")
    if word.endswith(("s", "z")):
        found.add(word + word[-1] + "es")
    if word.endswith("y") and word[-2:-1] not in _VOWELS:
        found.add(word[:-1] + "ies")
    if word.endswith("f"):
        found.add(word[:-1] + "ves")
    if word.endswith("fe"):
        found.add(word[:-2] + "ves")
    return found


@cache
def verb_groups() -> dict[str, tuple[str, ...]]:
    """The shipped table of synonyms: head verb -> itself and the verbs and phrases that mean the same."""
    table = tomllib.loads(files("hoiset.filter").joinpath(VERBS_FILE).read_text(encoding="utf-8"))
    return {head: (head, *others) for head, others in table.items()}


@cache
def _group_of() -> dict[str, tuple[str, ...]]:
    return {verb: group for group in verb_groups().values() for verb in group}


def exact_verbs(verb: str) -> frozenset[str]:
    """Lemmas that a verb or phrase in any form stands for, without synonyms: "picks up" -> pick, pick up."""
    first, _, rest = plain_words(verb).partition(" ")
    lemmas = verb_lemmas(first)
    return frozenset(lemmas | ({f"{lemma} {rest}" for lemma in lemmas} if rest else set()))


def similar_verbs(verb: str) -> frozenset[str]:
    """The same with the synonyms of :func:`verb_groups`; a phrase of the table stands for its group alone."""
    first, _, rest = plain_words(verb).partition(" ")
    written = {f"{lemma} {rest}".strip() for lemma in verb_lemmas(first)}
    groups = [_group_of()[verb] for verb in written if verb in _group_of()]
    return frozenset((written if groups else exact_verbs(verb)).union(*groups))


def object_phrases(phrase: str) -> frozenset[str]:
    """A phrase of an object in the singular and the plural: "paper plates" -> paper plates, paper plate, ..."""
    before, space, last = plain_words(phrase).rpartition(" ")
    singles = noun_lemmas(last)
    return frozenset(before + space + form for form in singles.union(*map(noun_plurals, singles)))

import lemminflect
import pytest

from hoiset.builder.words import clause_verbs
from hoiset.filter.words import (
    exact_verbs,
    noun_lemmas,
    noun_plurals,
    object_phrases,
    similar_verbs,
    verb_groups,
    verb_lemmas,
)

VERBS = """
push pull lift pour stir cut slice chop dice mix whisk open close shut pick grab take grasp place put set lay hold carry
wipe wash rinse scrub clean fold unfold tie untie twist turn rotate spin screw unscrew insert remove attach detach press
squeeze tap touch hit strike beat break tear rip throw toss catch drop give pass hand show write draw paint sew knit
stitch iron peel grate grind crush mash knead roll spread sprinkle dip soak drain strain boil fry bake eat drink feed
scoop fill empty spray apply stick glue tape staple hammer saw drill file measure mark move slide drag swing shake wave
type plug unplug hang stack arrange sort pack wrap zip comb brush shave trim dig plant hoe rake sweep mop dust load
"""
NOUNS = """
plate mug cup glass knife fork bowl pan box dish brush leaf loaf shelf tomato potato berry cherry tray key battery toy
tooth foot mouse person child cookie tie axe bus half scarf match bench patch quiz piano onion egg jar nail woman shoe
"""


@pytest.mark.parametrize("verb", VERBS.split())
def test_forms_of_a_verb_lead_to_what_the_builder_writes(verb: str) -> None:
    forms = {form for tag in ("VBD", "VBG", "VBN", "VBZ") for form in lemminflect.getInflection(verb, tag)}
    assert all(verb in verb_lemmas(form) for form in forms)
    written = {lemma for form in forms for lemma in clause_verbs(form)}
    assert all(written & verb_lemmas(form) for form in forms)


def test_forms_lead_to_hardly_any_other_verb() -> None:
    wrong = []
    for verb in VERBS.split():
        for tag in ("VBG", "VBZ"):
            for form in lemminflect.getInflection(verb, tag):
                others = verb_lemmas(form) - {verb, form}
                wrong += [(form, o) for o in others if o in lemminflect.getAllLemmas(o).get("VERB", ())]
    assert wrong == [("putting", "putt")]


@pytest.mark.parametrize("noun", NOUNS.split())
def test_plurals_lead_to_their_noun_and_back(noun: str) -> None:
    for plural in lemminflect.getInflection(noun, "NNS"):
        assert noun in noun_lemmas(plural)
        assert plural in noun_plurals(noun) | {noun}


def test_a_verb_stands_for_its_group_and_a_lemma_for_itself() -> None:
    assert similar_verbs("poured") >= {"pour", "tip", "decant"}
    assert similar_verbs("Tips") >= {"pour", "tip"}
    assert "tip" not in exact_verbs("poured")
    assert similar_verbs("picking up") >= {"pick", "grab", "take"}
    assert "place" in similar_verbs("put down")
    assert "take" not in similar_verbs("take off")
    assert similar_verbs("juggle") == exact_verbs("juggle")
    assert exact_verbs("turns on") >= {"turn", "turn on"}


def test_the_table_puts_a_verb_in_one_group_and_in_its_plain_form() -> None:
    listed = [verb for group in verb_groups().values() for verb in group]
    assert len(listed) == len(set(listed))
    assert len(verb_groups()) > 20
    for verb in listed:
        first = verb.split()[0]
        assert verb == verb.lower().strip()
        assert first in lemminflect.getAllLemmas(first)["VERB"], verb


def test_a_phrase_is_asked_in_singular_and_plural() -> None:
    assert object_phrases("Paper  Plates") >= {"paper plate", "paper plates"}
    assert object_phrases("glass") >= {"glass", "glasses"}
    assert "plateau" not in object_phrases("plate")

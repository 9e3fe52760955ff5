"""What is said of an action: a sentence, its verb, its nouns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hoiset.builder.studio.objects import Prop

_SENTENCES: dict[str, tuple[tuple[str, str], ...]] = {
    "pick_place": (
        ("pick", "Pick up the {0} and place it"),
        ("move", "Move the {0} to another place"),
        ("put", "Put the {0} somewhere else"),
    ),
    "pour": (("pour", "Pour from the {0} into the {1}"), ("tilt", "Tilt the {0} over the {1}")),
    "stir": (("stir", "Stir in the {1} with the {0}"),),
    "push": (("push", "Push the {0} across the table"), ("push", "A person pushes the {0}")),
    "slide": (("slide", "Slide the {0} along the table"), ("drag", "Drag the {0} over the table")),
    "rotate": (("rotate", "Rotate the {0}"), ("turn", "Turn the {0} around")),
    "hand_over": (("pass", "Pass the {0} from one hand to the other"),),
    "hold": (("hold", "Hold up the {0}"), ("show", "Show the {0}")),
    "bimanual_lift": (("lift", "Lift the {0} with both hands"),),
    "open_lid": (("open", "Open the {1} by taking off the lid"), ("remove", "Remove the lid from the {1}")),
}


def say(action: str, props: Sequence[Prop], rng: np.random.Generator) -> tuple[str, str, tuple[str, ...]]:
    """Sentence, verb (a lemma) and nouns of an action with its handled things."""
    choices = _SENTENCES[action]
    verb, sentence = choices[int(rng.integers(len(choices)))]
    nouns = tuple(prop.noun for prop in props)
    return sentence.format(*nouns), verb, nouns

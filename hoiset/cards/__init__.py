"""The dataset card: YAML that declares every config and feature, and a body made from the data; Croissant."""

from hoiset.cards.card import write_card as write_card
from hoiset.cards.croissant import write_croissant as write_croissant
from hoiset.cards.figures import write_figures as write_figures
from hoiset.cards.finish import finish_version as finish_version

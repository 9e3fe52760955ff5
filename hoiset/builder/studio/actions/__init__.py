"""What hands do with things: actions, the things that suit them, and their motion.

``cast`` draws an action with things; ``perform`` plans how a right primary hand does it in front of a camera.
"""

from hoiset.builder.studio.actions.casting import ACTIONS, Action, Cast, cast, n_handled
from hoiset.builder.studio.actions.performing import perform

__all__ = ["ACTIONS", "Action", "Cast", "cast", "n_handled", "perform"]

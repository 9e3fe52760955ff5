"""Looking at samples: what was reconstructed, drawn over what was filmed."""

from hoiset.view.overlay import contact_sheet as contact_sheet
from hoiset.view.overlay import draw_overlay as draw_overlay
from hoiset.view.overlay import write_overlay as write_overlay

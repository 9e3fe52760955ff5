"""``python -m hoiset``: the same as the command ``hoiset``."""

from hoiset.cli import main

main()

"""The recipes that ``hoiset build --split <name>`` knows."""

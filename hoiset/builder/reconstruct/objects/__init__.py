"""Objects without any learned detector: what a static camera sees arrive, leave and move with the hands."""

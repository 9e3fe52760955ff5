"""Action100M: a published tree of captions per video, from which segments worth screening are chosen."""

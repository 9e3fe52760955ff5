"""Finished datasets, later: mending, comparing, joining, and bringing them to a newer schema."""

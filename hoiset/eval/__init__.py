"""Measures a finished dataset against ground truth; never imports the builder."""

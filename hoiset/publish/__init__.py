"""Pushing versions of a dataset to the Hugging Face Hub."""

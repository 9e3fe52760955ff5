"""hoiset: raw manipulation video in, a versioned and filterable 4D hand-object-interaction dataset out."""

__version__ = "0.1.0"

"""Where videos and their words come from: one file a source."""

from hoiset.builder.sources.base import SOURCE_KINDS, Source, open_source, safe_key

__all__ = ["SOURCE_KINDS", "Source", "open_source", "safe_key"]

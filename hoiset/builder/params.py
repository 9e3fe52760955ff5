"""The base of every stage's parameters."""

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Typed, frozen, strict parameters: an unknown key in a recipe is an error, and equal values have equal digests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

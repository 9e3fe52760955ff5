"""A recipe: everything that decides what a version looks like, but for its videos and the models' weights."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from hoiset.builder.acquire.params import AcquireParams
from hoiset.builder.engine.cache import digest_json
from hoiset.builder.oracle import OracleParams
from hoiset.builder.params import Params
from hoiset.builder.reconstruct.pipeline import ReconstructParams
from hoiset.builder.retarget.stage import RobotsParams
from hoiset.builder.screen import ScreenParams
from hoiset.builder.sources.action100m.params import Action100MParams
from hoiset.errors import RecipeError
from hoiset.shards.schema import DEFAULT_LAYERS, KEY_PATTERN, layers
from hoiset.shards.verify import DEFAULT_REPROJECTION_SHARE


class SourceParams(Params):
    """Where the videos come from.

    Attributes:
        kind: A kind of :func:`hoiset.builder.sources.open_source`.
        options: Its options, such as the studio's ``seed`` and ``n_clips``.
        action100m: The rules of that kind; nothing for any other.
    """

    kind: Literal["folder", "studio", "action100m"] = "folder"
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    action100m: Action100MParams | None = None

    @model_validator(mode="before")
    @classmethod
    def _rules_of_the_kind(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        if values.get("kind") == "action100m":
            return {**values, "action100m": values.get("action100m") or {}}
        if values.get("action100m") is not None:
            raise ValueError(f"found rules of action100m for kind {values.get('kind', 'folder')!r}, expected none")
        return values

    @model_serializer(mode="wrap")
    def _only_of_the_kind(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Other kinds are written as if there were no such rules, so that their digests do not know of them."""
        values: dict[str, Any] = write(self)
        return {name: value for name, value in values.items() if name != "action100m" or value is not None}

    @property
    def reads(self) -> str | None:
        """What must be given to read from, in words; ``None`` where the kind makes its own videos."""
        return {
            "folder": "a directory of videos",
            "action100m": "a directory, file or hf:// address of annotations",
        }.get(self.kind)

    def arguments(self) -> dict[str, Any]:
        """What :func:`hoiset.builder.sources.open_source` takes besides the address and the kind."""
        return {**self.options} if self.action100m is None else {**self.options, "params": self.action100m}


class PartitionRatios(Params):
    """Shares of the source videos; they add up to 1."""

    train: float = Field(default=0.8, ge=0, le=1)
    validation: float = Field(default=0.1, ge=0, le=1)
    test: float = Field(default=0.1, ge=0, le=1)

    @model_validator(mode="after")
    def _add_up(self) -> PartitionRatios:
        total = self.train + self.validation + self.test
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"the ratios add up to {total:g}, expected 1")
        return self


class VerifyParams(Params):
    """Bounds of ``hoiset verify``.

    Attributes:
        reprojection_share: Largest distance between projected and seen joints, as a share of the hand's size in px.
    """

    reprojection_share: float = Field(default=DEFAULT_REPROJECTION_SHARE, gt=0, le=1)


class Recipe(Params):
    """What a version is made by; see the fields' own classes for their units.

    Attributes:
        name: Of the version, and so of ``data/<name>``.
        schema_version: Of :mod:`hoiset.shards.schema`.
        profile: Which backends run.
        layers: Layers that are written.
        clips_per_shard: At most so many clips in one tar.
        oracle: Ground truth that is fed to stages, to measure the others.
        retarget: Robots that the hands are retargeted to; with any there is a layer of robots.
    """

    name: str = Field(pattern=f"^{KEY_PATTERN}$")
    schema_version: Literal["2"] = "2"
    profile: Literal["cpu"] = "cpu"
    source: SourceParams = SourceParams()
    layers: tuple[str, ...] = DEFAULT_LAYERS
    partitions: PartitionRatios = PartitionRatios()
    clips_per_shard: int = Field(default=64, ge=1)
    acquire: AcquireParams = AcquireParams()
    screen: ScreenParams = ScreenParams()
    reconstruct: ReconstructParams = ReconstructParams()
    verify: VerifyParams = VerifyParams()
    oracle: OracleParams = OracleParams()
    retarget: RobotsParams | None = None

    @model_validator(mode="before")
    @classmethod
    def _layer_of_robots(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        named, robots = values.get("layers", DEFAULT_LAYERS), values.get("retarget")
        if not isinstance(named, list | tuple):
            return values
        of_robots: tuple[str, ...] = ()
        if robots is not None:
            of_robots = ("robots", "robot_video") if _wants_video(robots) else ("robots",)
        if strange := {"robots", "robot_video"} & set(named) - set(of_robots):
            raise ValueError(
                f"found the layer {min(strange)} without the robots it is to hold, expected [retarget] with robots, "
                "and video = true for their videos"
            )
        return {**values, "layers": (*named, *(layer for layer in of_robots if layer not in named))}

    @model_serializer(mode="wrap")
    def _robots_where_there_are_any(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Recipes without robots are written as if there were no such field: their digests do not know of it."""
        values: dict[str, Any] = write(self)
        return {name: value for name, value in values.items() if name != "retarget" or value is not None}

    @field_validator("layers")
    @classmethod
    def _known_layers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if set(value) - set(layers()) or "core" not in value or len(set(value)) != len(value):
            raise ValueError(f"expected core and any of {', '.join(layers())}, each once")
        return value

    def to_json(self) -> dict[str, Any]:
        """Every value, defaults included, as plain JSON types."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """sha256 of every value: a changed default is another recipe."""
        return digest_json(self.to_json())


def _wants_video(robots: Any) -> bool:
    return bool(robots.get("video") if isinstance(robots, Mapping) else getattr(robots, "video", False))


def recipe_names() -> tuple[str, ...]:
    """Recipes that come with the package."""
    folder = resources.files("hoiset.builder.recipes")
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Load a recipe.

    Args:
        name_or_path: One of :func:`recipe_names`, or the path of a ``.toml`` file.

    Raises:
        RecipeError: Unknown, unreadable, not TOML, or a value that is not allowed; the message names the field.
    """
    name = str(name_or_path)
    if name in recipe_names():
        text = resources.files("hoiset.builder.recipes").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    elif name.endswith(".toml"):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot read the recipe {name}: {error}") from error
    else:
        known = ", ".join(recipe_names())
        raise RecipeError(f"unknown split {name!r}; expected one of {known}, or the path of a .toml file")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe {name} is not TOML: {error}") from error
    return parse_recipe(values, name)


def parse_recipe(values: Mapping[str, Any], name: str) -> Recipe:
    """A recipe from plain JSON types, such as those in a manifest.

    Raises:
        RecipeError: A value that is not allowed; the message holds ``name`` and the field.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"recipe {name}: {complaints(error)}") from error


def complaints(error: ValidationError) -> str:
    """What is wrong with values, field by field, on one line."""
    return "; ".join(_complaint(e) for e in error.errors())


def _complaint(error: Any) -> str:
    """One line on one wrong field: where, what was found, what was expected."""
    field = ".".join(str(part) for part in error["loc"]) or "the recipe"
    if error["type"] == "extra_forbidden":
        return f"{field}: found an unknown field, expected only those that the recipe has; check the spelling"
    if error["type"] == "missing":
        return f"{field}: found nothing, expected a value"
    expected = error["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{field}: found {error['input']!r}, expected {expected.removeprefix('expected ')}"

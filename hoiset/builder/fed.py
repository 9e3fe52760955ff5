"""Builds that are fed ground truth, as a command line asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from pydantic import ValidationError

from hoiset.builder.oracle import Feed, OracleNoise, OracleParams
from hoiset.builder.passes import Progress
from hoiset.builder.recipe import complaints, parse_recipe
from hoiset.builder.run import build
from hoiset.errors import DatasetError, RecipeError
from hoiset.shards.manifest import read_manifest

NOISE_OF: Mapping[str, Feed] = {
    "focal_share": "camera",
    "landmark_share": "landmarks",
    "palm_depth_share": "palm_depth",
    "joint_m": "hands",
    "outline_fraction": "masks",
    "depth_share": "depth",
}
"""What each field of :class:`OracleNoise` is added to."""


def parse_oracle(feed: str, truth: Path, noise: str = "") -> OracleParams:
    """What to feed, from the words of a command.

    Args:
        feed: Names as in :class:`OracleParams`, with commas between.
        truth: The true dataset.
        noise: Fields of :class:`OracleNoise` and their values: ``joint_m=0.005,depth_share=0.02``.

    Raises:
        RecipeError: A name or a value that is not allowed, or noise of what is not fed.
    """
    known = get_args(Feed)
    asked = _parts(feed)
    if not asked or set(asked) - set(known):
        raise RecipeError(f"found {feed!r}, expected some of {', '.join(known)}, with commas between")
    values: dict[str, str] = {}
    for part in _parts(noise):
        name, equals, value = (word.strip() for word in part.partition("="))
        if name not in NOISE_OF or not equals:
            raise RecipeError(f"found the noise {part!r}, expected NAME=VALUE with a name of {', '.join(NOISE_OF)}")
        if name in values or NOISE_OF[name] not in asked:
            why = "it is given twice" if name in values else f"{NOISE_OF[name]} is not fed"
            raise RecipeError(f"found the noise {part!r}, but {why}")
        if value.lower().lstrip("+").startswith("inf"):
            raise RecipeError(f"found the noise {part!r}, expected a finite value")
        values[name] = value
    try:
        strength = OracleNoise.model_validate(values)
        return OracleParams(feed=tuple(f for f in known if f in asked), truth=str(truth), noise=strength)
    except ValidationError as error:
        raise RecipeError(f"noise: {complaints(error)}") from error


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def fed_name(build_root: Path, oracle: OracleParams) -> Path:
    """The directory beside a build that the same build, fed, goes to."""
    noise = [f"{name}={value:g}" for name, value in oracle.noise.model_dump().items() if value]
    root = build_root.absolute()
    return root.with_name(f"{root.name}.oracle-{'-'.join([*oracle.feed, *noise])}")


def rebuild_fed(root: Path, version: str, oracle: OracleParams, out: Path, *, progress: Progress | None = None) -> None:
    """Build again what a build was made by, with ground truth fed to some of its stages.

    The videos are those beside the true dataset, unless the recipe makes its own.

    Args:
        root: The finished build.
        version: Its version.
        oracle: What is fed.
        out: Where to; a build of the same feed that was stopped is gone on with.
        progress: As :func:`hoiset.builder.run.build`.

    Raises:
        RecipeError: The build's recipe is none of this package's, or ``out`` belongs to another one.
        DatasetError: The build has no manifest, there are no videos beside the truth, or nothing could be built.
        BackendUnavailable: A model cannot be started.
    """
    recipe = parse_recipe(read_manifest(root, version)["recipe"], f"of {root}").model_copy(update={"oracle": oracle})
    videos = None
    if recipe.source.kind == "folder":
        videos = Path(oracle.truth).absolute().parent / "videos"
        if not videos.is_dir():
            raise DatasetError(
                f"found no {videos}, expected the videos beside the truth, as `hoiset studio` leaves them"
            )
    build(recipe, videos, out, progress=progress)

"""What several commands share: their options, and how these are understood."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hoiset.errors import DatasetError, MissingDependency, RecipeError

Root = Annotated[Path, typer.Argument(help="Dataset directory.", show_default=False)]
Place = Annotated[str, typer.Argument(help="Dataset directory, or s3://bucket/folder.", show_default=False)]
Split = Annotated[str, typer.Option("--split", help="Name of a recipe, or the path of a .toml file.")]
SourceDir = Annotated[
    str | None,
    typer.Option("--source", help="Directory of videos, table of addresses, or hf://... address; not for all recipes."),
]
Out = Annotated[
    str, typer.Option("--out", help="Output directory or s3://bucket/folder: new, empty, or of a build to go on with.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=0, help="Worker processes; as the machine has room by default.")
]
Engine = Annotated[str, typer.Option("--engine", help="local: processes of this machine; ray: actors of a cluster.")]
Address = Annotated[
    str, typer.Option("--address", help="Existing Ray cluster (auto, host:6379); one is started here by default.")
]
WorkerCpus = Annotated[float, typer.Option("--worker-cpus", min=0, help="Logical cores that a Ray actor asks for.")]
WorkerGpus = Annotated[float, typer.Option("--worker-gpus", min=0, help="GPUs that a Ray actor asks for.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many videos.")]
Version = Annotated[str | None, typer.Option("--version", help="Version in the directory; the only one by default.")]
Feeds = Annotated[
    str | None,
    typer.Option("--oracle", help="Stages to feed from ground truth: camera,landmarks,palm_depth,hands,masks,depth."),
]
Noise = Annotated[str, typer.Option("--noise", help="Added to what is fed: joint_m=0.005,depth_share=0.02, ...")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]


def require_build() -> None:
    """Make sure that this command can do more than read.

    Raises:
        MissingDependency: The build packages are not installed.
    """
    try:
        import cv2  # noqa: F401
        import pydantic  # noqa: F401
    except ImportError as error:
        raise MissingDependency(f"this command needs {error.name}: pip install 'hoiset[build]'") from error


def load_recipe(split: str, source: str | None) -> Any:
    """The recipe; one that does not exist, or lacks its source, is a wrong call."""
    from hoiset.builder import recipe as recipes

    try:
        recipe = recipes.load_recipe(split)
    except RecipeError as error:
        raise typer.BadParameter(str(error), param_hint="--split") from error
    if source is None and recipe.source.reads is not None:
        raise typer.BadParameter(f"recipe {recipe.name!r} reads {recipe.source.reads}", param_hint="--source")
    return recipe


def version_of(root: Path, version: str | None, option: str = "--version") -> str:
    """The version asked for, or the only one that there is."""
    if version is not None:
        return version
    from hoiset.shards.index import list_versions

    versions = list_versions(root)
    if not versions:
        raise DatasetError(f"{root} has no index/*.parquet; expected a directory that `hoiset build` finished")
    if len(versions) > 1:
        raise typer.BadParameter(f"{root} has versions {', '.join(versions)}; choose one", param_hint=option)
    return versions[0]


def engine_options(kind: str, address: str, cpus: float, gpus: float) -> Any:
    """What runs the passes; options of Ray without it are a wrong call."""
    from hoiset.builder.engine.options import EngineOptions

    if kind not in ("local", "ray"):
        raise typer.BadParameter(f"found {kind!r}, expected local or ray", param_hint="--engine")
    if kind == "local" and (address or (cpus, gpus) != (2.0, 0.0)):
        raise typer.BadParameter("belong to --engine ray", param_hint="--address, --worker-cpus, --worker-gpus")
    return EngineOptions(kind="ray" if kind == "ray" else "local", address=address, cpus=cpus, gpus=gpus)

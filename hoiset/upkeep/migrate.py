"""Datasets of an older schema, brought to the present one step at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hoiset.errors import DatasetError
from hoiset.shards.manifest import list_manifests, manifest_path
from hoiset.shards.schema import SCHEMA_VERSION
from hoiset.upkeep.swap import changed_directory


@dataclass(frozen=True)
class Migration:
    """One step between two schemas.

    Attributes:
        before: Schema that it understands.
        after: Schema that it makes.
        apply: Called with a copy of the dataset's directory, whose files are hard links, and the version; it replaces
            files and never writes into one.
    """

    before: str
    after: str
    apply: Callable[[Path, str], None]


MIGRATIONS: tuple[Migration, ...] = ()
"""All steps there are; schema 2 is the first."""


def schema_of(root: Path, version: str) -> str:
    """The schema that a manifest names.

    Raises:
        DatasetError: No such version, or not a manifest.
    """
    there = list_manifests(root)
    if version not in there:
        raise DatasetError(f"{root} has no manifest of {version!r}; versions there: {', '.join(there) or 'none'}")
    path = Path(root) / manifest_path(version)
    try:
        schema = json.loads(path.read_bytes())["schema"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(f"{path} is not a manifest ({error!r}); build the version again") from error
    if not isinstance(schema, str) or not schema.isdecimal():
        raise DatasetError(f"{path}: found schema {schema!r}, expected a number such as {SCHEMA_VERSION!r}")
    return schema


def migrate_dataset(
    root: Path, version: str, *, migrations: Sequence[Migration] = MIGRATIONS, target: str = SCHEMA_VERSION
) -> tuple[str, ...]:
    """Bring a version to the present schema; the directory changes in one step.

    Args:
        root: Dataset directory.
        version: Name of the version.
        migrations: The steps to choose from.
        target: The schema to arrive at.

    Returns:
        The schemas that it passed through, from its own to ``target``; one entry where nothing had to be done.

    Raises:
        DatasetError: The schema is newer than ``target``, or no steps lead from it.
    """
    schema = schema_of(root, version)
    if int(schema) > int(target):
        raise DatasetError(
            f"{root}: found schema {schema} in {version}, this hoiset knows up to {target}; install a newer hoiset"
        )
    steps: list[Migration] = []
    while (at := steps[-1].after if steps else schema) != target:
        step = next((m for m in migrations if m.before == at and int(at) < int(m.after) <= int(target)), None)
        if step is None:
            raise DatasetError(f"{root}: no step leads from schema {at} to {target}; build {version} again")
        steps.append(step)
    if steps:
        with changed_directory(root) as staging:
            for step in steps:
                step.apply(staging, version)
            if schema_of(staging, version) != target:
                raise DatasetError(f"{root}: found schema {schema_of(staging, version)} after the steps to {target}")
    return (schema, *(step.after for step in steps))

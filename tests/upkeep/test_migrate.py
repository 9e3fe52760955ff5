from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hoiset.errors import DatasetError
from hoiset.shards.atomic import write_atomic
from hoiset.shards.schema import SCHEMA_VERSION
from hoiset.upkeep.migrate import MIGRATIONS, Migration, migrate_dataset, schema_of
from tests.fixtures import dataset as dataset
from tests.fixtures import pristine as pristine
from tests.upkeep.test_repair import files


def set_schema(root: Path, schema: Any) -> None:
    path = root / "manifest/v2.json"
    write_atomic(path, json.dumps({**json.loads(path.read_text()), "schema": schema}).encode())


def step(before: str, after: str) -> Migration:
    return Migration(before, after, lambda root, version: set_schema(root, after))


def test_the_present_schema_needs_nothing(dataset: Path, pristine: Path, run_command: Any) -> None:
    assert MIGRATIONS == ()
    assert run_command("migrate", dataset) == (0, "v2: is already of schema 2, nothing was done\n", "")
    assert files(dataset) == files(pristine)


def test_a_newer_schema_asks_for_a_newer_program(dataset: Path, run_command: Any) -> None:
    set_schema(dataset, str(int(SCHEMA_VERSION) + 1))
    code, _, err = run_command("migrate", dataset)
    assert code == 1
    assert "install a newer hoiset" in err


@pytest.mark.parametrize("schema", [None, 2, "two", ""])
def test_what_is_no_schema_is_said(dataset: Path, schema: Any) -> None:
    set_schema(dataset, schema)
    with pytest.raises(DatasetError, match="expected a number"):
        migrate_dataset(dataset, "v2")


def test_an_older_schema_without_steps_is_said(dataset: Path) -> None:
    set_schema(dataset, "1")
    with pytest.raises(DatasetError, match="no step leads from schema 1 to 2"):
        migrate_dataset(dataset, "v2")


def test_steps_are_taken_one_after_another(dataset: Path) -> None:
    assert migrate_dataset(dataset, "v2", migrations=[step("3", "4"), step("2", "3")], target="4") == ("2", "3", "4")
    assert schema_of(dataset, "v2") == "4"


def test_a_step_that_fails_changes_nothing(dataset: Path, pristine: Path) -> None:
    def fail(root: Path, version: str) -> None:
        set_schema(root, "3")
        raise DatasetError("no")

    with pytest.raises(DatasetError, match="no"):
        migrate_dataset(dataset, "v2", migrations=[Migration("2", "3", fail)], target="3")
    assert files(dataset) == files(pristine)
    lazy = Migration("2", "3", lambda root, version: None)
    with pytest.raises(DatasetError, match="found schema 2 after"):
        migrate_dataset(dataset, "v2", migrations=[lazy], target="3")

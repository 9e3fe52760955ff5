"""One card for several versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from hoiset.cards.front_matter import read_front_matter
from hoiset.errors import PushError
from hoiset.publish.card import Card
from tests.factories import make_dataset
from tests.hub_writing import WritableHub, put
from tests.publish.pushes import pushed


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("versions")
    return {name: make_dataset(root / name, n_clips=2, version=name) for name in ("v2", "v10", "demo")}


def card(hub: WritableHub) -> Card:
    return Card.read(hub.revisions["main"] / "README.md")


@pytest.mark.parametrize("order", [("v2", "demo", "v10"), ("v10", "v2", "demo"), ("demo", "v10", "v2")])
def test_the_latest_version_speaks_whatever_the_order(
    versions: dict[str, Path], hub: WritableHub, order: tuple[str, ...]
) -> None:
    for name in order:
        pushed(versions[name], name)
    assert card(hub).speaks_of == "v10"
    assert card(hub).body.startswith("\n# hoiset v10\n")
    names = [config["config_name"] for config in card(hub).front["configs"]]
    assert names == sorted(f"{name}{layer}" for name in versions for layer in ("", "-video"))
    assert [info["config_name"] for info in card(hub).front["dataset_info"]] == names
    hub.requests.clear()
    for name in order:
        assert not pushed(versions[name], name).tagged
    assert hub.writes == []


def test_a_layer_that_is_withdrawn_leaves_the_card_of_a_later_version(
    versions: dict[str, Path], hub: WritableHub
) -> None:
    pushed(versions["v2"])
    pushed(versions["v10"], "v10")
    pushed(versions["v2"], layers=["core"])
    names = [config["config_name"] for config in card(hub).front["configs"]]
    assert names == ["v10", "v10-video", "v2"]
    assert card(hub).speaks_of == "v10"


def test_a_card_that_somebody_wrote_loses_nothing_that_it_declares(versions: dict[str, Path], hub: WritableHub) -> None:
    hub.create("public")
    theirs = "---\nconfigs:\n- config_name: old\n  data_files: old/*.tar\n---\nHello.\n"
    hub.add_commit(lambda folder: put(folder / "README.md", theirs.encode()))
    pushed(versions["v2"])
    assert {"config_name": "old", "data_files": "old/*.tar"} in card(hub).front["configs"]


def test_a_card_that_cannot_be_read_is_named(versions: dict[str, Path], hub: WritableHub) -> None:
    hub.create("public")
    hub.add_commit(lambda folder: put(folder / "README.md", b"---\n: [\n---\n"))
    with pytest.raises(PushError, match=r"the card of someone/hands.*YAML"):
        pushed(versions["v2"])
    assert not hub.tags


def test_reading_and_writing_give_the_same_bytes(versions: dict[str, Path]) -> None:
    path = versions["v2"] / "README.md"
    assert Card.read(path).to_bytes() == path.read_bytes()
    assert Card.read(path).front == read_front_matter(path)

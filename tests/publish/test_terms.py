"""Footage that may not be passed on stays behind, and what licences ask for goes along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hoiset.cards.front_matter import read_front_matter
from hoiset.errors import PushError
from hoiset.publish.terms import WORDS, notice, obligations, refusals
from hoiset.shards.verify import verify_dataset
from tests.fixtures import pristine as pristine
from tests.hub_writing import WritableHub
from tests.publish.pushes import layers_of, make_web_dataset, manifest_of, pushed

WEB = {"url": "https://www.youtube.com/watch?v=abc", "licence": ""}


def index_of(*clips: tuple[str, str, str | None]) -> pa.Table:
    uid, url, licence = (list(column) for column in zip(*clips, strict=True))
    return pa.table({"uid": uid, "url": url, "licence": pa.array(licence, pa.string())})


def web(i: int) -> dict[str, Any]:
    return (
        {"uid": f"video_{i}", "url": f"youtube:video_{i}", "licence": None}
        if i
        else {"uid": "mine", "licence": "CC0-1.0"}
    )


@pytest.mark.parametrize(
    ("licence", "layers", "refused"),
    [
        ("CC0-1.0", ("core", "video", "scene"), ()),
        ("CC-BY-NC-SA 4.0", ("core", "video", "scene"), ()),
        ("CC-BY-ND-4.0", ("core", "video", "scene"), ("scene",)),
        (None, ("core", "video", "scene"), ("video", "scene")),
        ("", ("core", "video"), ("video",)),
        ("Standard YouTube License", ("core", "video"), ("video",)),
        ("all rights reserved", ("core",), ()),
    ],
)
def test_what_is_refused(licence: str | None, layers: tuple[str, ...], refused: tuple[str, ...]) -> None:
    found = refusals(index_of(("a", "", licence), ("a", "", licence), ("b", "", licence)), layers)
    assert tuple(one.layer for one in found) == refused
    assert all((one.clips, one.videos, one.licence) == (3, 2, licence or "") for one in found)


def test_a_refusal_names_layer_clips_and_sources() -> None:
    clips = [(f"v{i}", f"https://example.org/{i}\n[x](y)", "") for i in range(5)]
    (found,) = refusals(index_of(*clips), ("core", "video"))
    names = ", ".join(f"https://example.org/{i} [x](y)" for i in range(3))
    assert str(found) == f"video: 5 clips of 5 sources with no known licence ({names} and 2 more)"


def test_footage_of_the_web_is_refused_before_anything_is_asked(tmp_path: Path, hub: WritableHub) -> None:
    root = make_web_dataset(tmp_path / "web", web)
    refusal = r"video: 2 clips of 2 sources with no known licence \(youtube:video_1, youtube:video_2\).*--layers core"
    for options in ({}, {"dry_run": True}, {"allow_redistribution": " \n"}):
        with pytest.raises(PushError, match=refusal):
            pushed(root, **options)
    assert not hub.requests


def test_the_other_layers_may_go(tmp_path: Path, hub: WritableHub) -> None:
    root = make_web_dataset(tmp_path / "web", web)
    assert pushed(root, layers=["core"]).tag == "v2.0.0"
    assert layers_of(hub) == {"core"}
    assert not [name for name in hub.files() if "video" in name]
    assert "redistribution" not in manifest_of(hub)


def test_a_reason_is_recorded_for_everybody_to_read(tmp_path: Path, hub: WritableHub) -> None:
    root = make_web_dataset(tmp_path / "web", web)
    pushed(root, allow_redistribution="The owners agreed,\nsee [letters](x).")
    reason = "The owners agreed, see [letters](x)."
    recorded = manifest_of(hub)["redistribution"]
    assert recorded == {"reason": reason, "refused": [{"layer": "video", "licence": "", "clips": 2, "videos": 2}]}
    head = hub.revisions["main"]
    for name in ("README.md", "LICENSES/NOTICE-v2.md"):
        assert f"    {reason}\n" in (head / name).read_text()
    assert verify_dataset(head).ok
    hub.requests.clear()
    pushed(root, allow_redistribution=reason)
    assert not hub.writes
    pushed(root, layers=["core"])
    assert "LICENSES/NOTICE-v2.md" not in hub.files()


def test_what_a_licence_of_footage_asks_for_goes_along_with_its_pictures(tmp_path: Path, hub: WritableHub) -> None:
    root = make_web_dataset(tmp_path / "named", lambda i: {"licence": "CC-BY-NC-SA-4.0" if i else "CC0-1.0"})
    pushed(root)
    head = hub.revisions["main"]
    for name in ("README.md", "LICENSES/NOTICE-v2.md"):
        text = (head / name).read_text()
        assert "CC-BY-NC-SA-4.0" in text
        assert "noncommercial" in text
        assert "under the same licence" in text
    assert "CC0" not in (head / "LICENSES/NOTICE-v2.md").read_text()
    pushed(root, layers=["core"])
    assert "LICENSES/NOTICE-v2.md" not in hub.files()


def test_the_annotations_of_action100m_bind_the_dataset(tmp_path: Path, hub: WritableHub) -> None:
    root = make_web_dataset(tmp_path / "web", web, source={"kind": "action100m"})
    done = pushed(root, layers=["core"])
    head = hub.revisions["main"]
    front = read_front_matter(head / "README.md")
    assert front["license"] == "fair-noncommercial-research-license"
    assert "license_name" not in front
    text = (head / "LICENSES/NOTICE-v2.md").read_text()
    assert "FAIR Noncommercial Research License" in text
    assert "https://huggingface.co/datasets/facebook/action100m-preview" in text
    assert "LICENSES/NOTICE-v2.md" in {entry["path"] for entry in manifest_of(hub)["files"]}
    assert "asks for a copy of its text" in "".join(done.notes)
    (root / "LICENSES").mkdir()
    (root / "LICENSES/FAIR.txt").write_text("the licence\n")
    done = pushed(root, layers=["core"])
    assert done.notes == ()
    assert done.tag == "v2.0.1"
    assert (hub.revisions["main"] / "LICENSES/FAIR.txt").read_text() == "the licence\n"
    assert "`FAIR.txt`" in (hub.revisions["main"] / "LICENSES/NOTICE-v2.md").read_text()
    assert verify_dataset(hub.revisions["main"]).ok


@pytest.mark.parametrize("recipe", [{}, {"source": None}, {"source": "action100m"}, {"source": {"kind": "folder"}}])
def test_other_recipes_ask_for_nothing(recipe: dict[str, Any]) -> None:
    assert obligations(recipe, index_of(("a", "", "CC0-1.0")), ("core", "video")) == ()


def test_every_kind_with_obligations_is_one_that_recipes_know() -> None:
    base = pytest.importorskip("hoiset.builder.sources.base", reason="needs hoiset[build]")
    assert set(WORDS) <= set(base.SOURCE_KINDS)


def test_the_notice_is_markdown_whatever_the_reason_says() -> None:
    text = notice("v2", (), (), "# not a heading")
    assert "\n    # not a heading\n" in text
    assert json.dumps(text)

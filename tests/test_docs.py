from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]


def test_the_schema_page_is_current() -> None:
    page = runpy.run_path(str(REPO / "docs" / "make_schema.py"))["schema_page"]()
    assert (REPO / "docs" / "schema.md").read_text(encoding="utf-8") == page, "run: python docs/make_schema.py"


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/schema.md",
        "docs/acquisition.md",
        "docs/scaling.md",
        "docs/action100m.md",
        "docs/windows.md",
        "docs/filter.md",
        "docs/loading.md",
        "docs/lerobot.md",
        "docs/push.md",
        "docs/replay.md",
        "docs/retargeting.md",
    ],
)
def test_links_lead_somewhere(page: str) -> None:
    path = REPO / page
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{page} links to {target}, which is not there"


def test_the_causes_on_the_page_are_those_of_the_code() -> None:
    from hoiset.builder.acquire import FAILURES

    page = (REPO / "docs" / "acquisition.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(name, "yes" if f.final else "no", f.meaning) for name, f in FAILURES.items()]


def test_the_libraries_of_the_makefile_are_those_of_the_doctor() -> None:
    from hoiset.builder.doctor import SYSTEM_LIBRARIES

    pairs = re.findall(r"(lib\S+\.so\.\d+):(\S+)", (REPO / "Makefile").read_text())
    assert dict(pairs) == SYSTEM_LIBRARIES

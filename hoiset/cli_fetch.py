"""Options of the commands that may fetch videos: what is of the machine, not of the recipe."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hoiset.builder.stages import Stages

CookiesFile = Annotated[
    Path | None,
    typer.Option("--cookies", envvar="HOISET_COOKIES", help="Cookies (Netscape format) to fetch remote videos with."),
]
VideoCache = Annotated[
    Path | None,
    typer.Option("--video-cache", envvar="HOISET_VIDEO_CACHE", help="Where fetched videos are kept."),
]


def stages_that_fetch(cookies: Path | None, video_cache: Path | None) -> Stages | None:
    """The package's own stages, with what was said of this machine; ``None`` where nothing was.

    Raises:
        SourceError: The cookies cannot be read.
    """
    if cookies is None and video_cache is None:
        return None
    from hoiset.builder.acquire import Acquirer, Machine
    from hoiset.builder.acquire.cookies import load_cookies
    from hoiset.builder.stages import Stages

    load_cookies(cookies)
    machine = replace(Machine.from_environment(), cookies=cookies, cache=video_cache)
    return Stages(acquire=partial(Acquirer, machine=machine))

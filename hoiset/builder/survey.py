"""What a source holds and what a recipe would choose of it, counted before anything is fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from hoiset.builder.recipe import Recipe
from hoiset.builder.records import SourceVideo
from hoiset.builder.sources import open_source
from hoiset.builder.sources.action100m.choosing import RULES, Choice
from hoiset.builder.sources.action100m.source import Action100MSource
from hoiset.errors import RecipeError

_PROBLEMS_SHOWN = 20
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class RuleCount:
    """One step of the funnel.

    Attributes:
        rule: Its name.
        dropped: Segments that it is the first to drop.
        left: Segments after it.
    """

    rule: str
    dropped: int
    left: int


@dataclass(frozen=True)
class Survey:
    """What pass 1 would be given.

    Attributes:
        version: The recipe's name.
        source: What was read.
        kind: Of the source.
        videos: Usable ones.
        videos_chosen: Those with a chosen segment.
        segments: Chosen ones; each is one entry of pass 1.
        segments_found: All that the source tells of.
        rules: The funnel from all to the chosen; empty where the source leaves the choice to pass 1.
        video_hours: Length of the usable videos, ``None`` where the source does not tell.
        video_chosen_hours: Of those with a chosen segment.
        segment_hours: Of the chosen segments.
        unusable: Entries that cannot be used.
        problems: Why, for the first of them.
    """

    version: str
    source: str
    kind: str
    videos: int
    videos_chosen: int
    segments: int
    segments_found: int
    rules: tuple[RuleCount, ...]
    video_hours: float | None
    video_chosen_hours: float | None
    segment_hours: float | None
    unusable: int
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def survey(
    recipe: Recipe,
    source: str | Path | None,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Survey:
    """Count what a recipe would choose; reads words and tables, no video.

    Args:
        recipe: Whose rules.
        source: What it reads from.
        limit: Only the first so many videos (``action100m``) or entries.
        progress: Called with the number of them after each.

    Raises:
        RecipeError: The recipe makes its own videos, or ``source`` is missing.
        SourceError: The source cannot be read.
    """
    if recipe.source.reads is None:
        raise RecipeError(f"recipe {recipe.name!r} makes its own videos; expected one that reads a source")
    if source is None:
        raise RecipeError(f"recipe {recipe.name!r} reads {recipe.source.reads}, found none; give it with --source")
    opened = open_source(source, recipe.source.kind, **recipe.source.arguments())
    if isinstance(opened, Action100MSource):
        counted = _of_choices(_told(islice(opened.choices(), limit), progress))
    else:
        counted = _of_videos(_told(islice(opened.videos(), limit), progress))
    return Survey(version=recipe.name, source=str(source), kind=recipe.source.kind, **counted)


def _told(items: Iterable[_Item], progress: Callable[[int], None] | None) -> Iterator[_Item]:
    for number, item in enumerate(items, start=1):
        yield item
        if progress is not None:
            progress(number)


def _of_choices(choices: Iterable[Choice]) -> dict[str, Any]:
    count: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    video_s = chosen_s = segment_s = 0.0
    problems: list[str] = []
    for choice in choices:
        if choice.problem:
            count["unusable"] += 1
            problems += [choice.problem] if len(problems) < _PROBLEMS_SHOWN else []
            continue
        count.update(videos=1, videos_chosen=int(bool(choice.segments)))
        count.update(segments=len(choice.segments), segments_found=choice.nodes)
        dropped.update(choice.dropped)
        video_s += choice.duration_s
        chosen_s += choice.duration_s if choice.segments else 0.0
        segment_s += sum(segment.end_s - segment.start_s for segment in choice.segments)
    rules, left = [], count["segments_found"]
    for rule in RULES:
        left -= dropped[rule]
        rules.append(RuleCount(rule, dropped[rule], left))
    return {
        **{name: count[name] for name in ("videos", "videos_chosen", "segments", "segments_found", "unusable")},
        "rules": tuple(rules),
        "video_hours": video_s / 3600,
        "video_chosen_hours": chosen_s / 3600,
        "segment_hours": segment_s / 3600,
        "problems": tuple(problems),
    }


def _of_videos(entries: Iterable[SourceVideo]) -> dict[str, Any]:
    """Entries of a source that describes files; hours are known where every entry has a span with an end."""
    videos: set[str] = set()
    segments = unusable = 0
    seconds: float | None = 0.0
    problems: list[str] = []
    for entry in entries:
        if entry.problem:
            unusable += 1
            problems += [f"{entry.uid}: {entry.problem}"] if len(problems) < _PROBLEMS_SHOWN else []
            continue
        segments += 1
        videos.add(entry.uid)
        if entry.end_s is None or seconds is None:
            seconds = None
        else:
            seconds += entry.end_s - (entry.start_s or 0.0)
    return {
        "videos": len(videos),
        "videos_chosen": len(videos),
        "segments": segments,
        "segments_found": segments,
        "unusable": unusable,
        "rules": (),
        "video_hours": None,
        "video_chosen_hours": None,
        "segment_hours": None if seconds is None else seconds / 3600,
        "problems": tuple(problems),
    }

"""From one video's row to the segments worth screening, with a count of what every rule dropped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hoiset.builder.sources.action100m.nouns import Nouns
from hoiset.builder.sources.action100m.params import Action100MParams
from hoiset.builder.sources.action100m.prefilter import Prefilter
from hoiset.builder.sources.action100m.reading import Row
from hoiset.builder.sources.action100m.tree import Caption, Node, parse_nodes, without_overlap

RULES = ("malformed", "no_caption", "no_action", "too_short", "too_long", "prefilter", "covered")
_UID = re.compile(r"[A-Za-z0-9_-]{11}")


@dataclass(frozen=True)
class Segment:
    """A segment that was chosen.

    Attributes:
        start_s: Start in the video, s.
        end_s: End, s.
        caption: What was written of it.
        objects: (noun, field that it was read from).
    """

    start_s: float
    end_s: float
    caption: Caption
    objects: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Choice:
    """What became of one video.

    Attributes:
        where: File and row.
        uid: Of the video; ``where`` when it has a problem.
        duration_s: Length of the video, s; the end of its last segment where it is not given.
        nodes: Segments of its tree.
        dropped: Rule of :data:`RULES` -> segments that it dropped.
        segments: Those that were chosen, by start and end.
        problem: Why the video cannot be used, or ``""``.
    """

    where: str
    uid: str
    duration_s: float = 0.0
    nodes: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    problem: str = ""


def unusable(where: str, problem: str) -> Choice:
    """A row that gives no video; it takes no uid, so that a good row of the same video still counts."""
    return Choice(where, where, problem=f"{where}: {problem}")


class Chooser:
    """The rules of :class:`Action100MParams`, ready to choose among many videos' segments."""

    def __init__(self, params: Action100MParams) -> None:
        self._params = params
        self._no_action = frozenset({"", *(text.casefold() for text in params.no_action)})
        self._prefilter = Prefilter(params.prefilter)
        self._nouns = Nouns(params.nouns, params.prefilter)

    def choose(self, row: Row) -> Choice:
        """Apply every rule, cheap ones first, to a video; a row that is no video has a problem instead."""
        uid = row.uid if isinstance(row.uid, str) and _UID.fullmatch(row.uid) else ""
        if row.problem or not uid or row.nodes is None:
            return unusable(row.where, _problem(row, uid))
        nodes, malformed = parse_nodes(row.nodes)
        if malformed and not nodes:
            return unusable(row.where, f"all {malformed} nodes of {uid} are malformed")
        dropped = Counter({"malformed": malformed})
        eligible = set()
        for node in nodes:
            rule = self._rule_against(node)
            if rule:
                dropped[rule] += 1
            else:
                eligible.add(node.node_id)
        chosen = without_overlap(nodes, lambda node: node.node_id in eligible, self._params.covered_share)
        dropped["covered"] = len(eligible) - len(chosen)
        return Choice(
            row.where,
            uid,
            _duration_s(row.duration_s) or max((node.end_s for node in nodes), default=0.0),
            len(row.nodes),
            {rule: dropped[rule] for rule in RULES},
            tuple(self._segment(node) for node in chosen),
        )

    def _rule_against(self, node: Node) -> str:
        """The first rule that drops a segment, or ``""``."""
        if node.caption is None:
            return "no_caption"
        if node.caption.brief.casefold() in self._no_action:
            return "no_action"
        if node.duration_s < self._params.min_duration_s:
            return "too_short"
        if node.duration_s > self._params.max_duration_s:
            return "too_long"
        return "" if self._prefilter.passes(node.caption) else "prefilter"

    def _segment(self, node: Node) -> Segment:
        assert node.caption is not None
        return Segment(node.start_s, node.end_s, node.caption, self._nouns.read(node.caption))


def _problem(row: Row, uid: str) -> str:
    if row.problem:
        return row.problem
    if not uid:
        return f"video_uid is {_short(row.uid)}, expected 11 characters of A-Z, a-z, 0-9, _ and -"
    return f"nodes of {uid} are not a list"


def _short(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _duration_s(value: Any) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e7
    return float(value) if usable else 0.0

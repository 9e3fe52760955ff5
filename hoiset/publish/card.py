"""The card of a repository that holds several versions: the latest of them speaks, and every one has its configs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hoiset.cards.croissant import CROISSANT_FILE
from hoiset.cards.finish import write_faces
from hoiset.cards.front_matter import read_front_matter
from hoiset.errors import DatasetError, PushError
from hoiset.publish.changes import CARD, LICENCES, LocalFile, notice_path
from hoiset.publish.staging import Staged
from hoiset.publish.tags import version_key
from hoiset.shards.atomic import write_atomic, writing
from hoiset.shards.features import config_name
from hoiset.shards.schema import layers

_LISTS = ("configs", "dataset_info")
_DELIMITER = "---\n"
_SOMEWHERE = "path/or/repo"
"""What a card's examples load from while nobody knows where it will be."""


@dataclass(frozen=True)
class Card:
    """A card's YAML and the Markdown behind it."""

    front: Mapping[str, Any]
    body: str

    @staticmethod
    def read(path: Path) -> Card:
        """From a file; raises DatasetError where its YAML cannot be read."""
        front = read_front_matter(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"cannot read {path} ({error})") from error
        return Card(front, text[len(_DELIMITER) :].split("\n" + _DELIMITER, 1)[1] if front else text)

    def to_bytes(self) -> bytes:
        """The file."""
        front = yaml.safe_dump(dict(self.front), sort_keys=False, allow_unicode=True, width=1000)
        return f"{_DELIMITER}{front}{_DELIMITER}{self.body}".encode()

    @property
    def speaks_of(self) -> str | None:
        """The version whose core layer is the default config."""
        configs = self.front.get("configs")
        default = [c for c in configs or [] if isinstance(c, Mapping) and c.get("default")]
        return str(default[0].get("config_name")) if default else None

    def entries(self, version: str) -> dict[str, list[dict[str, Any]]]:
        """What its lists say of a version's configs, apart from which is the default."""
        out = {}
        for name in _LISTS:
            listed = self.front.get(name)
            own = [dict(e) for e in listed or [] if isinstance(e, Mapping) and _belongs(e, version)]
            out[name] = [{k: v for k, v in entry.items() if k != "default"} for entry in own]
        return out

    def with_entries(self, version: str, entries: Mapping[str, list[dict[str, Any]]]) -> Card:
        """The card with other entries of a version, in the order of their names."""
        front = dict(self.front)
        for name in _LISTS:
            others = [e for e in front.get(name) or [] if not (isinstance(e, Mapping) and _belongs(e, version))]
            front[name] = sorted([*others, *entries[name]], key=lambda e: str(e.get("config_name")))
        return Card(front, self.body)

    def own_part(self, version: str, *, speaks: bool) -> tuple[Any, ...]:
        """What of it a version is answerable for: its configs, and all that is not another's where it ``speaks``."""
        if not speaks:
            return (self.entries(version),)
        return self.entries(version), {k: v for k, v in self.front.items() if k not in _LISTS}, self.body


def _belongs(entry: Mapping[str, Any], version: str) -> bool:
    return entry.get("config_name") in {config_name(version, layer) for layer in layers()}


def make_card(repo: str, staged: Staged, there: Path | None) -> tuple[list[LocalFile], bool]:
    """Write the card for what is staged, and what catalogues read beside it, into its folder.

    Args:
        repo: Name of the repository, which the card's examples load from.
        staged: What is to be in it.
        there: The repository's card, if it has one. Its configs of other versions are kept; where it speaks of a later
            version, all of it is, and only the configs of this one are put in.

    Returns:
        The files, and whether they speak of this version; of a later one, the catalogues' stays as it is.

    Raises:
        PushError: The repository's card has YAML that cannot be read.
    """
    path = staged.folder / CARD
    path.unlink(missing_ok=True)
    before = None
    if there is not None:
        try:
            before = Card.read(there)
        except DatasetError as error:
            raise PushError(f"the card of {repo}: {error}") from None
        with writing(path):
            path.write_bytes(there.read_bytes())
    write_faces(staged.folder, staged.version)
    card = _with_licences(Card.read(path), staged)
    card = Card(card.front, card.body.replace(_SOMEWHERE, repo))
    other = before.speaks_of if before is not None else None
    speaks = other is None or version_key(other) <= version_key(staged.version)
    if before is not None and not speaks:
        card = before.with_entries(staged.version, card.entries(staged.version))
    write_atomic(path, card.to_bytes())
    made = [LocalFile.at(CARD, path)]
    if speaks and (staged.folder / CROISSANT_FILE).is_file():
        made.append(LocalFile.at(CROISSANT_FILE, staged.folder / CROISSANT_FILE))
    return made, speaks


def _with_licences(card: Card, staged: Staged) -> Card:
    """The card with what the licences of the sources ask for."""
    if not staged.obliged and staged.override is None:
        return card
    section = [f"## What the licences ask for\n\n`{notice_path(staged.version)}` has it in full."]
    section += [f"{one.licence}, of {one.what}:\n\n" + "\n".join(f"- {s}" for s in one.asks) for one in staged.obliged]
    if any(file.path.startswith(f"{LICENCES}/") and file.path != notice_path(staged.version) for file in staged.files):
        section.append(f"The texts of licences are in `{LICENCES}/`.")
    if staged.override is not None:
        section.append(
            "Footage that no licence known to hoiset permits to pass on is here because of this reason, given by who "
            f"pushed it:\n\n    {staged.override.reason}"
        )
    return Card(card.front, card.body.rstrip("\n") + "\n\n" + "\n\n".join(section) + "\n")

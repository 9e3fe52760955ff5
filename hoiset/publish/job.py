"""One push: what a repository lacks is found out, sent, committed, checked and tagged; again from there, if need be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hoiset.errors import PushError
from hoiset.publish.card import Card, make_card
from hoiset.publish.changes import CARD, LICENCES, Change, LocalFile, changes
from hoiset.publish.outcome import Pushed, PushStep
from hoiset.publish.repository import RemoteFile, Repository, State
from hoiset.publish.staging import Staged, stage_removed
from hoiset.publish.tags import latest_tag, next_tag
from hoiset.shards.index import index_path
from hoiset.shards.manifest import manifest_path
from hoiset.shards.removed import REMOVED_FILE

FILES_A_COMMIT = 250
"""What the Hub's own uploads put into a commit."""
_SHOWN = 10


@dataclass(frozen=True)
class Sight:
    """How the repository stands, and what is to be done there.

    Attributes:
        state: Of the repository.
        there: Its files, by path.
        wanted: Those that are to be there.
        changes: What becomes of each.
        tag: That will name it.
        tag_is_new: Whether it has to be made.
    """

    state: State
    there: Mapping[str, RemoteFile]
    wanted: Mapping[str, LocalFile]
    changes: tuple[Change, ...]
    tag: str
    tag_is_new: bool

    @property
    def pending(self) -> list[Change]:
        """The changes that are left to make."""
        return [change for change in self.changes if change.action != "same"]


@dataclass
class Job:
    """One push.

    Attributes:
        repository: Where to.
        staged: What is to be there.
        scratch: Directory for what is fetched from there.
        tag: Asked for; the next one by default.
        public: Whether a repository that has to be made is public.
        progress: Called with every step.
        created: Whether the repository was made by this push.
        first: What the first attempt found to do.
    """

    repository: Repository
    staged: Staged
    scratch: Path
    tag: str | None
    public: bool
    progress: Callable[[PushStep], None]
    created: bool = False
    first: tuple[Change, ...] | None = None

    def look(self) -> Pushed:
        """What would be done."""
        sight = self._sight()
        return self._pushed(sight, "", dry_run=True)

    def run(self) -> Pushed:
        """Do what is left to do."""
        sight = self._sight()
        if not sight.state.exists:
            self.repository.create(public=self.public)
            self.created = True
            sight = self._sight()
            if not sight.state.exists:
                raise PushError(
                    f"{self.repository.name} is there, but this user does not see it; log in with `hf auth login`, or "
                    "choose another name"
                )
        self.first = self.first or sight.changes
        commit = sight.state.head
        if sight.pending:
            commit = self._send(sight)
            self._check(commit, sight.wanted)
        if sight.tag_is_new:
            self.repository.tag(sight.tag, commit)
        return self._pushed(sight, commit, dry_run=False)

    def _sight(self) -> Sight:
        state = self.repository.state()
        there = self.repository.files(state.head, self.staged.version) if state.head else {}
        removed = stage_removed(self.staged, self._fetched(REMOVED_FILE, there, state.head))
        cards, speaks = make_card(self.repository.name, self.staged, self._fetched(CARD, there, state.head))
        shared = (*cards, removed) if removed else cards
        wanted = {file.path: file for file in (*self.staged.files, *shared)}
        found = changes(wanted.values(), there, self.staged.version)
        tag, is_new = self._tag(state, wanted, speaks=speaks)
        return Sight(state, there, wanted, found, tag, is_new)

    def _fetched(self, path: str, there: Mapping[str, RemoteFile], commit: str) -> Path | None:
        return self.repository.fetch(path, commit, self.scratch) if path in there else None

    def _tag(self, state: State, wanted: Mapping[str, LocalFile], *, speaks: bool) -> tuple[str, bool]:
        """The tag, and whether it is to be made; raises PushError for one that names something else."""
        name = self.tag or latest_tag(self.staged.version, state.tags)
        if name is None or name not in state.tags:
            return name or next_tag(self.staged.version, None, data_changed=True), True
        differing = self._differing(state.tags[name], wanted, speaks=speaks)
        if not differing:
            return name, False
        if self.tag is not None:
            raise PushError(
                f"{self.repository.name} has a tag {self.tag!r} of something else, which is never moved; choose another"
            )
        prefixes = (f"data/{self.staged.version}/", index_path(self.staged.version))
        data_changed = any(path.startswith(prefixes) for path in differing)
        return next_tag(self.staged.version, name, data_changed=data_changed), True

    def _differing(self, commit: str, wanted: Mapping[str, LocalFile], *, speaks: bool) -> list[str]:
        """Paths at which a commit has something else of this version than what is wanted; what all share apart."""
        there = self.repository.files(commit, self.staged.version)
        found = [c.path for c in changes(wanted.values(), there, self.staged.version) if c.action != "same"]
        found = [path for path in found if path != REMOVED_FILE]
        if CARD in found and CARD in there:
            fetched = self._fetched(CARD, there, commit)
            cards = [Card.read(path) for path in (fetched, wanted[CARD].source) if path is not None]
            parts = [card.own_part(self.staged.version, speaks=speaks) for card in cards]
            if parts[0] == parts[1]:
                found.remove(CARD)
        return found

    def _send(self, sight: Sight) -> str:
        """Upload and commit; returns the commit that has everything."""
        files = [sight.wanted[c.path] for c in sight.pending if c.action != "removed"]
        shards = [file for file in files if file.path.endswith(".tar")]
        total, done, commit = sum(file.bytes for file in files), 0, sight.state.head

        def uploaded(n: int) -> None:
            nonlocal done
            done += n
            self.progress(PushStep("upload", done, total))

        self.progress(PushStep("upload", 0, total))
        if index_path(self.staged.version) not in sight.there:
            while len(shards) > FILES_A_COMMIT:
                part, shards = shards[:FILES_A_COMMIT], shards[FILES_A_COMMIT:]
                additions = self.repository.upload(part, uploaded)
                commit = self.repository.commit(additions, (), f"Add shards of {self.staged.version}", commit)
        others = [file for file in files if not file.path.endswith(".tar")]
        additions = self.repository.upload([*shards, *others], uploaded)
        removed = [c.path for c in sight.pending if c.action == "removed"]
        return self.repository.commit(additions, removed, f"Push {self.staged.version} ({sight.tag})", commit)

    def _check(self, commit: str, wanted: Mapping[str, LocalFile]) -> None:
        """Make sure that the commit has what was sent; raises PushError."""
        there = self.repository.files(commit, self.staged.version)
        odd = [c.path for c in changes(wanted.values(), there, self.staged.version) if c.action != "same"]
        if odd:
            raise PushError(
                f"{self.repository.name} took the commit {commit} without {', '.join(odd[:_SHOWN])} as sent; does its "
                ".gitignore exclude them? Nothing was tagged"
            )

    def _pushed(self, sight: Sight, commit: str, *, dry_run: bool) -> Pushed:
        exists = sight.state.exists
        found = sight.changes if self.first is None else self.first
        return Pushed(
            self.repository.name,
            self.repository.url,
            self.staged.version,
            self.staged.layers,
            sight.state.private if exists else not self.public,
            self.created or not exists,
            found,
            commit,
            sight.tag,
            sight.tag_is_new,
            tuple(self._notes(sight, found)),
            dry_run,
        )

    def _notes(self, sight: Sight, found: tuple[Change, ...]) -> list[str]:
        notes = []
        if self.public and sight.state.exists and sight.state.private and not self.created:
            notes.append("the repository is there and private, and stays so; its settings page makes it public")
        if not self.public and sight.state.exists and not sight.state.private:
            notes.append("the repository is public")
        data = f"data/{self.staged.version}/"
        gone = [c for c in found if c.path.startswith(data) and c.action in ("changed", "removed")]
        older = [tag for tag in sight.state.tags if tag != sight.tag]
        if gone and older:
            notes.append(
                f"{len(gone)} shards are replaced or removed; the tags {', '.join(sorted(older))} keep them: "
                "docs/push.md tells how to withdraw a tag where something must not stay"
            )
        others = sorted(p for p in sight.there if p.startswith("manifest/") and p != manifest_path(self.staged.version))
        if others and any(c.path == REMOVED_FILE and c.action != "same" for c in found):
            names = ", ".join(Path(path).stem for path in others)
            notes.append(
                f"the list of removed videos has changed; the repository's versions {names} may still have them"
            )
        licence = next((one for one in self.staged.obliged if one.copy), None)
        if licence is not None and not any(_is_licence_text(file.path) for file in self.staged.files):
            notes.append(
                f"{licence.licence} asks for a copy of its text: put it into {LICENCES}/ of the dataset and push again"
            )
        return notes


def _is_licence_text(path: str) -> bool:
    return path.startswith(f"{LICENCES}/") and not path.startswith(f"{LICENCES}/NOTICE-")

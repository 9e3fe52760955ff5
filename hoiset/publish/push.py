"""``push``: a version of a dataset directory becomes a tagged state of a repository of the Hub.

**What a reader sees.** Content comes first: shards travel by the Hub's own resumable upload, and no commit speaks of
them yet. One commit then refers to all of them together with card, index, manifest, figures and licence texts, removes
the shards that are no longer there, and names its parent: whoever reads ``main`` sees the version before or the version
after, also where shards of one name have other bytes. Only a version that the repository does not have yet, with more
shards than one commit takes well, comes in several commits: shards first, and before the last one no index, no manifest
and no config of the card speaks of them. Tags pin commits, and neither they nor files of other versions are touched.

**What is repeated.** Every attempt first looks how the repository stands and sends what is missing. A push that was cut
off at any request therefore ends, when it is repeated, in the same files and tags.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hoiset.errors import PushError
from hoiset.publish.card import Card, make_card
from hoiset.publish.changes import CARD, LICENCES, Change, LocalFile, changes
from hoiset.publish.failures import attempts, careful_client, told
from hoiset.publish.repository import RemoteFile, Repository, State
from hoiset.publish.staging import Override, Staged, chosen_layers, stage, stage_removed
from hoiset.publish.tags import check_tag, latest_tag, next_tag
from hoiset.publish.terms import PIXELS, one_line, refusals
from hoiset.shards.index import index_path, read_index
from hoiset.shards.manifest import manifest_path
from hoiset.shards.remote import Patience
from hoiset.shards.removed import REMOVED_FILE
from hoiset.shards.verify import verify_dataset

FILES_A_COMMIT = 250
"""What the Hub's own uploads put into a commit."""
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_SHOWN = 10


@dataclass(frozen=True)
class PushStep:
    """How far a push is.

    Attributes:
        phase: ``verify`` or ``upload``.
        done: Bytes that have arrived.
        total: Bytes that were to be sent; 0 while nobody knows.
    """

    phase: str
    done: int
    total: int


@dataclass(frozen=True)
class Pushed:
    """What a push did, or would do.

    Attributes:
        repo: ``OWNER/NAME``.
        url: Of its page.
        version: That was pushed.
        layers: That were pushed.
        private: Whether only its owner sees the repository.
        created: Whether it was made by this push.
        changes: Every file of the version, and what became of it.
        commit: Commit that holds the version; ``""`` after a dry run.
        tag: Tag that names it.
        tagged: Whether the tag is new.
        notes: What else whoever pushes has to know.
        dry_run: Whether nothing was sent.
    """

    repo: str
    url: str
    version: str
    layers: tuple[str, ...]
    private: bool
    created: bool
    changes: tuple[Change, ...]
    commit: str
    tag: str
    tagged: bool
    notes: tuple[str, ...]
    dry_run: bool

    def bytes_of(self, *actions: str) -> int:
        """Bytes of the files that were ``new``, ``changed``, ...; all by default."""
        return sum(change.bytes for change in self.changes if not actions or change.action in actions)


def push(
    repo: str,
    split: str = "v2",
    root: str | Path = "out",
    *,
    layers: Sequence[str] | None = None,
    public: bool = False,
    tag: str | None = None,
    allow_redistribution: str = "",
    dry_run: bool = False,
    token: str | bool | None = None,
    progress: Callable[[PushStep], None] = lambda _: None,
    patience: Patience | None = None,
) -> Pushed:
    """Push a version to the Hugging Face Hub, or go on where a push of it was stopped.

    Args:
        repo: ``OWNER/NAME`` of a dataset; it is made, private, where it is not there.
        split: The version, by the name of its recipe.
        root: Dataset directory.
        layers: Only these, ``core`` among them; all that are there by default. Index, manifest and card then speak of
            no others, and others that the repository has of this version are removed.
        public: Whether a repository that has to be made is public.
        tag: Name of the tag. By default ``v2.0.0`` of a version ``v2``, then another minor number where clips changed
            and another patch number where only card or figures did; none where nothing changed.
        allow_redistribution: The reason why footage may be passed on that no known licence permits to; recorded in
            manifest, card and notice.
        dry_run: Whether only to say what would go. Makes no request that writes, and needs no token for what is public.
        token: Of the Hub; by default ``HF_TOKEN`` or the login of this machine. It is kept in no file and no message.
        progress: Called with every step.
        patience: How often an attempt is made again; see :class:`hoiset.shards.remote.Patience`.

    Raises:
        PushError: Something is wrong with the dataset, a layer's sources do not permit to pass it on, the tag names
            something else already, or the Hub refuses or cannot be reached. Push again to go on.
        DatasetError: No such version.
    """
    root = Path(root)
    if not _REPO.fullmatch(repo):
        raise PushError(f"found {repo!r}, expected OWNER/NAME of a dataset on the Hub")
    if tag is not None:
        check_tag(tag)
    chosen = chosen_layers(root, split, layers)
    override = _override(root, split, chosen, allow_redistribution)
    progress(PushStep("verify", 0, 0))
    _verify(root, split)
    with tempfile.TemporaryDirectory(prefix="hoiset-") as scratch:
        staged = stage(root, split, chosen, Path(scratch) / "staged", override)
        job = _Job(Repository(repo, token=token), staged, Path(scratch), tag, public, progress)
        with told(repo):
            for attempt in attempts(patience or Patience()):
                with attempt, careful_client():
                    return job.look() if dry_run else job.run()
    raise AssertionError("unreachable")


def _verify(root: Path, version: str) -> None:
    report = verify_dataset(root, version)
    if not report.ok:
        shown = "; ".join(map(str, report.problems[:_SHOWN]))
        rest = f"; and {len(report.problems) - _SHOWN} more" if len(report.problems) > _SHOWN else ""
        raise PushError(f"{root} is damaged, nothing was sent: {shown}{rest}; run `hoiset repair {root}`")


def _override(root: Path, version: str, layers: tuple[str, ...], reason: str) -> Override | None:
    found = refusals(read_index(root, version, ["uid", "url", "licence"]), layers)
    reason = one_line(reason)
    if not found:
        return None
    if not reason:
        others = ",".join(layer for layer in layers if layer not in PIXELS)
        raise PushError(
            f"found footage whose sources do not permit to pass it on: {'; '.join(map(str, found))}; push without it "
            f"(--layers {others}), or say why you may (--allow-redistribution REASON)"
        )
    told_of = ("layer", "licence", "clips", "videos")
    return Override(reason, tuple({name: asdict(one)[name] for name in told_of} for one in found))


@dataclass(frozen=True)
class _Sight:
    """How the repository stands, and what is to be done there."""

    state: State
    there: Mapping[str, RemoteFile]
    wanted: Mapping[str, LocalFile]
    changes: tuple[Change, ...]
    tag: str
    tag_is_new: bool

    @property
    def pending(self) -> list[Change]:
        return [change for change in self.changes if change.action != "same"]


@dataclass
class _Job:
    """One push."""

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

    def _sight(self) -> _Sight:
        state = self.repository.state()
        there = self.repository.files(state.head, self.staged.version) if state.head else {}
        removed = stage_removed(self.staged, self._fetched(REMOVED_FILE, there, state.head))
        cards, speaks = make_card(self.repository.name, self.staged, self._fetched(CARD, there, state.head))
        shared = (*cards, removed) if removed else cards
        wanted = {file.path: file for file in (*self.staged.files, *shared)}
        found = changes(wanted.values(), there, self.staged.version)
        tag, is_new = self._tag(state, wanted, speaks=speaks)
        return _Sight(state, there, wanted, found, tag, is_new)

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

    def _send(self, sight: _Sight) -> str:
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

    def _pushed(self, sight: _Sight, commit: str, *, dry_run: bool) -> Pushed:
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

    def _notes(self, sight: _Sight, found: tuple[Change, ...]) -> list[str]:
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
        licence = next((one for one in self.staged.obliged if one.identifier), None)
        if licence is not None and not any(_is_licence_text(file.path) for file in self.staged.files):
            notes.append(
                f"{licence.licence} asks for a copy of its text: put it into {LICENCES}/ of the dataset and push again"
            )
        return notes


def _is_licence_text(path: str) -> bool:
    return path.startswith(f"{LICENCES}/") and not path.startswith(f"{LICENCES}/NOTICE-")

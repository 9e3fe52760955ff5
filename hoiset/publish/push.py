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
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from hoiset.errors import PushError
from hoiset.publish.failures import attempts, careful_client, told
from hoiset.publish.job import Job
from hoiset.publish.outcome import Pushed as Pushed
from hoiset.publish.outcome import PushStep as PushStep
from hoiset.publish.repository import Repository
from hoiset.publish.staging import Override, chosen_layers, stage
from hoiset.publish.tags import check_tag
from hoiset.publish.terms import PIXELS, one_line, refusals
from hoiset.shards.index import read_index
from hoiset.shards.remote import Patience
from hoiset.shards.verify import verify_dataset

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_SHOWN = 10


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
        job = Job(Repository(repo, token=token), staged, Path(scratch), tag, public, progress)
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

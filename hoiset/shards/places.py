"""Where a dataset lies: a directory, a repository of the Hub, or an address of any kind that `fsspec` knows."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from hoiset.errors import DatasetError
from hoiset.shards.blocks import BlockCache
from hoiset.shards.ranges import LocalRanges, Ranges
from hoiset.shards.redact import printable, redacted

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_HUB = re.compile(rf"hf://datasets/(?P<repo>{_REPO.pattern})(?:@(?P<revision>[^/@]+))?(?P<folder>(?:/[^@]*)?)")


def open_place(place: str | Path, *, revision: str | None = None, cache: BlockCache | None = None) -> Ranges:
    """Open a dataset's files for reading.

    Args:
        place: A directory; ``OWNER/NAME`` or ``hf://datasets/OWNER/NAME[@REVISION][/FOLDER]``, a dataset of the Hub; or
            an address such as ``s3://bucket/folder``. A directory that exists wins over a repository of that name.
        revision: Branch, tag or commit of a repository; its main branch by default. It is held as the commit that it is
            now, so that a push in the middle of training changes nothing.
        cache: For what is not a directory.

    Raises:
        DatasetError: No such repository or revision, or it cannot be reached; a revision of what has none.
        MissingDependency: The protocol needs a package that is not there.
    """
    text = str(place)
    is_path = isinstance(place, Path) or "://" not in text
    hub = None if is_path else _HUB.fullmatch(text.rstrip("/"))
    if text.startswith("hf://") and not is_path and hub is None:
        raise DatasetError(f"found {printable(text)}, expected hf://datasets/OWNER/NAME[@REVISION][/FOLDER]")
    if hub is not None:
        revision = _one_revision(hub["revision"], revision, text)
        return _open_repo(hub["repo"], revision, hub["folder"], cache, f"no dataset {hub['repo']} on the Hub")
    if isinstance(place, str) and is_path and _REPO.fullmatch(text) and not Path(text).exists():
        return _open_repo(text, revision, "", cache, f"neither a directory {text} nor a dataset {text} on the Hub")
    if revision is not None:
        raise DatasetError(f"found revision {revision!r} for {printable(text)}, which has none; expected a Hub dataset")
    if is_path:
        return LocalRanges(Path(place))
    if text.startswith(("file://", "local://")):
        return LocalRanges(Path(text.partition("://")[2]))
    from hoiset.shards.remote import RemoteRanges

    return RemoteRanges(text.rstrip("/"), cache=cache)


def _one_revision(inner: str | None, outer: str | None, text: str) -> str | None:
    if inner and outer and inner != outer:
        raise DatasetError(f"found revision {outer!r} and the address {text}, expected one revision")
    return inner or outer


def _open_repo(repo: str, revision: str | None, folder: str, cache: BlockCache | None, what: str) -> Ranges:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    from hoiset.shards.remote import RemoteRanges

    wanted = unquote(revision) if revision else None
    try:
        commit = HfApi().dataset_info(repo, revision=wanted).sha
    except RevisionNotFoundError:
        raise DatasetError(
            f"dataset {repo} of the Hub has no revision {wanted!r}; expected a branch, tag or commit"
        ) from None
    except RepositoryNotFoundError:
        raise DatasetError(f"found {what}; check the name; for a private one log in with `hf auth login`") from None
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError) as error:
        raise _unreachable(repo, error) from None
    except Exception as error:
        if type(error).__module__.startswith(("httpx", "httpcore", "requests")):  # of the Hub's client, whichever it is
            raise _unreachable(repo, error) from None
        raise
    base = f"hf://datasets/{repo}"
    return RemoteRanges(f"{base}@{commit}{folder.rstrip('/')}", cache=cache, identity=base + folder.rstrip("/"))


def _unreachable(repo: str, error: Exception) -> DatasetError:
    why = redacted(f"{type(error).__name__}: {error}")
    return DatasetError(f"cannot reach dataset {repo} of the Hub ({why}); there is no directory of that name either")

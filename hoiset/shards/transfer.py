"""Single requests to a file system of `fsspec`: what a file is, what a folder holds, a range of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsspec.asyn import AsyncFileSystem, sync

from hoiset.errors import DatasetError
from hoiset.shards.ranges import Span

_TAGS = (
    "blob_id", "ETag", "etag", "md5Hash", "content_md5", "checksum", "generation",
    "LastModified", "Last-Modified", "last_modified", "mtime", "modified", "updated", "created",
)  # fmt: skip
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
_CLIENTS = ("aiohttp", "httpx", "httpcore", "botocore", "aiobotocore", "urllib3", "requests", "huggingface_hub")
_WORTH_ASKING_AGAIN = {408, 425, 429}
_CHANGED = 412
_CHANGED_SIGNS = ("PreconditionFailed", "At least one of the pre-conditions")


@dataclass(frozen=True)
class Stat:
    """A remote file.

    Attributes:
        size: Bytes, where known.
        tag: Changes with the content; ``""`` where the file system has nothing like it.
    """

    size: int | None
    tag: str

    @property
    def can_be_kept(self) -> bool:
        """Whether a copy can be told from one of other content."""
        return bool(self.tag) and self.size is not None

    @property
    def etag(self) -> str | None:
        """What a server compares byte by byte, if it gave that."""
        kind, _, value = self.tag.partition("=")
        return value if kind == "ETag" and not value.startswith("W/") else None


def stat(fs: Any, path: str) -> Stat | None:
    """What a file is, or ``None`` where there is none."""
    try:
        return _as_stat(fs.info(path))
    except FileNotFoundError as error:
        if error.__cause__ is not None and passes(error.__cause__):  # so fsspec calls a server that does not answer
            raise error.__cause__ from None
        return None


def list_folder(fs: Any, path: str) -> dict[str, Stat] | None:
    """Files of a folder by name, none where there is no folder; ``None`` where listing is not allowed."""
    try:
        entries = fs.ls(path, detail=True)
    except FileNotFoundError:
        return {}
    except PermissionError:
        return None
    return {e["name"].rpartition("/")[2]: _as_stat(e) for e in entries if e.get("type") == "file"}


def fetch(fs: Any, path: str, span: Span, known: Stat) -> bytes:
    """Bytes of a range.

    Raises:
        DatasetError: The file has changed since ``known``, or the server does not answer ranges.
        OSError: Fewer bytes came than were asked for.
    """
    try:
        data = _request(fs, path, span, known)
    except Exception as error:  # clients raise their own
        if _status(error) == _CHANGED or any(sign in f"{error} {error.__cause__}" for sign in _CHANGED_SIGNS):
            raise DatasetError("changed while it was read; open the dataset again") from None
        raise
    if len(data) > span.size:
        raise DatasetError(
            f"found {len(data)} bytes, expected {span.size}: the server does not answer byte ranges; use one that "
            "does, or copy the dataset"
        )
    if len(data) < span.size:
        raise OSError(f"found {len(data)} bytes, expected {span.size}")
    return data


def _request(fs: Any, path: str, span: Span, known: Stat) -> bytes:
    data: bytes
    if hasattr(fs, "call_s3"):
        data = sync(fs.loop, _from_s3, fs, path, span, known)
    elif path.startswith(("http://", "https://")):
        condition = {"If-Match": known.etag} if known.etag else {}
        headers = {**fs.kwargs.get("headers", {}), "Accept-Encoding": "identity", **condition}
        data = fs.cat_file(path, start=span.offset, end=span.stop, headers=headers)
    elif isinstance(fs, AsyncFileSystem):
        data = fs.cat_file(path, start=span.offset, end=span.stop)
    else:
        with fs.open(path, "rb", cache_type="none") as file:
            file.seek(span.offset)
            data = file.read(span.size)
    return data


async def _from_s3(fs: Any, path: str, span: Span, known: Stat) -> bytes:
    bucket, key, _ = fs.split_path(path)
    condition = {"IfMatch": known.etag} if known.etag else {}
    wanted = f"bytes={span.offset}-{span.stop - 1}"
    answer = await fs._call_s3("get_object", Bucket=bucket, Key=key, Range=wanted, **condition)
    try:
        data: bytes = await answer["Body"].read()
        return data
    finally:
        answer["Body"].close()


def passes(error: BaseException) -> bool:
    """Whether a failure may pass when the request is made again."""
    status = _status(error)
    if status is not None:
        return status >= 500 or status in _WORTH_ASKING_AGAIN
    if isinstance(error, _FINAL):
        return False
    return isinstance(error, (OSError, EOFError)) or type(error).__module__.partition(".")[0].startswith(_CLIENTS)


def _status(error: BaseException) -> int | None:
    answer: Any = getattr(error, "response", None)
    for found in (getattr(error, "status", None), getattr(answer, "status_code", None)):
        if isinstance(found, int):
            return found
    return None


def _as_stat(info: Mapping[str, Any]) -> Stat:
    tag = next((f"{name}={info[name]}" for name in _TAGS if info.get(name)), "")
    size = info.get("size")
    return Stat(None if size is None else int(size), tag)

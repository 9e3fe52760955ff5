"""hoiset: raw manipulation video in, a versioned and filterable 4D hand-object-interaction dataset out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hoiset.builder.run import build as build
    from hoiset.loaders import ClipSampler as ClipSampler
    from hoiset.loaders import StreamingClips as StreamingClips
    from hoiset.loaders import WindowDataset as WindowDataset
    from hoiset.loaders import collate as collate
    from hoiset.loaders import load_dataset as load_dataset
    from hoiset.loaders import open_index as open_index
    from hoiset.publish.push import push as push

__version__ = "0.1.0"

_HOMES = {
    "WindowDataset": "hoiset.loaders",
    "ClipSampler": "hoiset.loaders",
    "StreamingClips": "hoiset.loaders",
    "build": "hoiset.builder.run",
    "collate": "hoiset.loaders",
    "load_dataset": "hoiset.loaders",
    "open_index": "hoiset.loaders",
    "push": "hoiset.publish.push",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: training code must not pull in what only a build needs."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hoiset' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])

"""Load a dataset for training: map-style access over the index, reading only the members that are needed."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hoiset.loaders.batch import collate as collate
from hoiset.loaders.dataset import ClipDataset as ClipDataset
from hoiset.loaders.dataset import load_dataset as load_dataset
from hoiset.loaders.dataset import open_index as open_index
from hoiset.loaders.features import Feature as Feature
from hoiset.loaders.names import item_name as item_name
from hoiset.loaders.normaliser import Normaliser as Normaliser
from hoiset.loaders.samplers import ClipSampler as ClipSampler
from hoiset.loaders.statistics import Statistics as Statistics
from hoiset.loaders.statistics import compute_statistics as compute_statistics
from hoiset.loaders.windows import WindowDataset as WindowDataset

if TYPE_CHECKING:
    from hoiset.loaders.streaming import StreamingClips as StreamingClips


def __getattr__(name: str) -> Any:
    """Import what is a class of torch's on first use."""
    if name != "StreamingClips":
        raise AttributeError(f"module 'hoiset.loaders' has no attribute {name!r}")
    return import_module("hoiset.loaders.streaming").StreamingClips

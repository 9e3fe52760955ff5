"""Load a dataset for training: map-style access over the index, reading only the members that are needed."""

from hoiset.loaders.batch import collate as collate
from hoiset.loaders.dataset import ClipDataset as ClipDataset
from hoiset.loaders.dataset import load_dataset as load_dataset
from hoiset.loaders.dataset import open_index as open_index
from hoiset.loaders.names import item_name as item_name
from hoiset.loaders.windows import WindowDataset as WindowDataset

"""LeRobot v3.0, written with pyarrow and PyAV alone: its own package wants versions of torch that are behind ours."""

from hoiset.loaders.exports.lerobot.export import Exported as Exported
from hoiset.loaders.exports.lerobot.export import export_lerobot as export_lerobot

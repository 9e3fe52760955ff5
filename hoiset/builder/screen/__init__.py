"""Pass 1: which spans of a video show hands at work before a camera that stands still."""

from hoiset.builder.screen.gates import GATES, MEASURED
from hoiset.builder.screen.params import ScreenParams
from hoiset.builder.screen.screening import screen_video

__all__ = ["GATES", "MEASURED", "ScreenParams", "screen_video"]

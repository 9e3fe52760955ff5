"""Retarget: from hands in the camera frame to robots that could have done the same."""

from hoiset.builder.retarget.records import HandMotion as HandMotion
from hoiset.builder.retarget.records import RobotMotion as RobotMotion
from hoiset.builder.retarget.records import RobotSource as RobotSource
from hoiset.builder.retarget.retarget import RetargetParams as RetargetParams
from hoiset.builder.retarget.retarget import retarget as retarget
from hoiset.builder.retarget.robot import list_robots as list_robots
from hoiset.builder.retarget.robot import load_robot as load_robot

"""Replay: could what was recovered have happened? A gripper repeats the hand's path in a physics simulation."""

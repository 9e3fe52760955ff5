"""Retarget: from hands in the camera frame to robots that could have done the same."""

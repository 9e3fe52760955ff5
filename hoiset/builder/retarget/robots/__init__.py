"""One file a robot: its links, joints, limits, arms, home pose and shapes."""

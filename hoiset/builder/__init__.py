"""Builds datasets: sources, pass 1, pass 2, and the engine that runs them."""

"""Small Ray clusters on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SMALL = {"object_store_memory": 100 << 20, "include_dashboard": False}


@contextmanager
def one_node(num_cpus: int = 4) -> Iterator[Any]:
    """A cluster of one node to which this process is connected."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(num_cpus=num_cpus, log_to_driver=False, logging_level="ERROR", **SMALL)
    try:
        yield ray
    finally:
        ray.shutdown()

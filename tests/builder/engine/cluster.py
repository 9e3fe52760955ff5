"""Small Ray clusters on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SMALL = {"object_store_memory": 100 << 20, "include_dashboard": False}


@contextmanager
def several_nodes(num_nodes: int, cpus_per_node: int) -> Iterator[Any]:
    """A cluster of a head without cores and some nodes, to which this process is connected."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    try:
        for _ in range(num_nodes):
            add_node(cluster, cpus_per_node)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def add_node(cluster: Any, num_cpus: int) -> Any:
    """One more node, once the cluster knows it."""
    node = cluster.add_node(num_cpus=num_cpus, object_store_memory=SMALL["object_store_memory"])
    cluster.wait_for_nodes()
    return node


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

"""What the fault tests share: the server that steps write their lines to, and the steps that write them.

They need our own node: its components are stopped and frozen, its network is cut, its nodes are drained.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from node import api

from ..conftest import Cluster
from .lines import Lines
from .steps import Making

if "KUBECONFIG" in os.environ:  # a cluster of somebody's is not ours to break
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True)
def whole(cluster: Cluster, operator: str) -> Iterator[None]:
    """Whatever a test broke is whole again after it, so that the next one fails for its own reasons only."""
    yield
    api.ensure_up()
    cluster.kubectl("rollout", "status", "-n", operator, "deploy/mlworkflow", "--timeout=60s")


@pytest.fixture
def lines() -> Iterator[Lines]:
    server = Lines()
    yield server
    server.close()


@pytest.fixture
def make(lines: Lines) -> Making:
    return Making(lines)

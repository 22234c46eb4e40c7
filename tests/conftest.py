"""How the tests share a machine: with each other, when several processes run them, and with whatever makes it slow."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


_TOGETHER = ("tests/component/ui/", "tests/component/local/test_containers.py")


class OneNode(LoadScopeScheduling):
    """What starts, stops and disturbs the machine's one node runs in one process, in its order, and so does each module whose tests share something dear: a
    window of the browser and what they change there, a Podman; every other test is free."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(("tests/cluster/", "tests/kind/")):
            return "node"
        return nodeid.partition("::")[0] if nodeid.startswith(_TOGETHER) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneNode:
    """In place of xdist's own, whose groups pytest 9.2 does not know."""
    return OneNode(config, log)

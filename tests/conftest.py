"""How the tests share a machine: with each other, when several processes run them, and with whatever makes it slow."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_ONE_AFTER_ANOTHER = {Path(__file__).parent / tier for tier in ("cluster", "kind")}

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts, stops and disturbs the machine's one node runs in one process, in its order; all else is free."""
    for item in items:
        if not _ONE_AFTER_ANOTHER.isdisjoint(item.path.parents):
            item.add_marker(pytest.mark.xdist_group("node"))

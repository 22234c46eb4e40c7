"""How the tests share a machine when several processes run them."""

from __future__ import annotations

from pathlib import Path

import pytest

_ONE_AFTER_ANOTHER = {Path(__file__).parent / tier for tier in ("cluster", "kind")}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts, stops and disturbs the machine's one node runs in one process, in its order; all else is free."""
    for item in items:
        if not _ONE_AFTER_ANOTHER.isdisjoint(item.path.parents):
            item.add_marker(pytest.mark.xdist_group("node"))

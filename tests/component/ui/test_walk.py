"""The walk through the page (tests/ui/walk.py) against runs of this machine. What it looks like is seen by the tests of each view."""

from __future__ import annotations

import pytest

from tests.ui import walk
from tests.ui.page import Home, chromium, served, window


def test_every_view_and_action_in_one_walk(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = Home(tmp_path_factory.mktemp("walk"))
    try:
        with served(home) as address, chromium() as browser, window(browser, address) as opened:
            walk.everything(opened, lambda _: None, has_pod=False)
    finally:
        home.stop()
        home.end()

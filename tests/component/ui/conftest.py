"""One folder of runs and one server for all tests of the page; one browser for each module of them, whose tests must not be async (Playwright's loop runs)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.component.ui import flowers as flowers_of
from tests.component.ui import runs
from tests.ui.page import Home, Window, chromium, served, window


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """With the runs that `runs` names: some have ended, some go on until `release` says so."""
    made = Home(tmp_path_factory.mktemp("page"))
    try:
        runs.make(made)
        yield made
    finally:
        runs.release(made)
        made.end()


@pytest.fixture(scope="session")
def address(home: Home) -> Iterator[str]:
    """The page that shows them."""
    with served(home) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def opened(browser: Browser, address: str) -> Iterator[Window]:
    """The page in a window, one for a module: to load it costs more than most tests."""
    with window(browser, address) as found:
        yield found


@pytest.fixture
def at(opened: Window) -> Iterator[Window]:
    """That window as it is at first."""
    with opened.anew():
        yield opened


@pytest.fixture(scope="session")
def garden(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Home]:
    """With the runs that `flowers` makes, once for all processes that run tests."""
    base = tmp_path_factory.getbasetemp()
    made = flowers_of.make((base if worker_id == "master" else base.parent) / "garden")
    yield made
    made.end()


@pytest.fixture(scope="module")
def garden_address(garden: Home) -> Iterator[str]:
    """The page that shows them."""
    with served(garden) as found:
        yield found


@pytest.fixture(scope="module")
def garden_opened(browser: Browser, garden_address: str) -> Iterator[Window]:
    """Their page in a window, one for a module."""
    with window(browser, garden_address) as found:
        yield found


@pytest.fixture
def flowers(garden_opened: Window) -> Iterator[Window]:
    """That window as it is at first."""
    with garden_opened.anew():
        yield garden_opened

"""One folder of runs and one server for all tests of the page; one browser for each module of them, whose tests must not be async (Playwright's loop runs)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from browser import NAMES
from playwright.sync_api import Browser, sync_playwright

from tests.component.ui import flowers as flowers_of
from tests.component.ui import runs
from tests.component.ui.page import Home, Window, served, window

_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip


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
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    assert program, f"no browser here, none of {', '.join(NAMES)}: `make prepare TIERS=component` installs one"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def opened(browser: Browser, address: str) -> Iterator[Window]:
    """The page in a window, one for a module: to load it costs more than most tests."""
    with window(browser, address) as found:
        yield found


@pytest.fixture
def at(opened: Window) -> Iterator[Window]:
    """That window as it is at first."""
    opened.fresh()
    yield opened
    complaints, opened.complaints[:] = list(opened.complaints), []
    assert complaints == []


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


@pytest.fixture
def flowers(browser: Browser, garden_address: str) -> Iterator[Window]:
    """Their page in a window of its own."""
    with window(browser, garden_address) as opened:
        yield opened

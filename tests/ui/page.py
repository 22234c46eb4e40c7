"""What the tests of the page share, here and in a cluster: a folder of real local runs, the server that shows runs, and a browser that looks at it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from browser import NAMES
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
PICTURES = ROOT / "build" / "screenshots"
WIDTHS = {390: 844, 1024: 768, 1600: 1000}
PATIENCE = 60_000
"""Milliseconds that something may take on a machine that others load."""
_MAIN = "from mlworkflow.cli import main; main()"
_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip


def sh(name: str, script: str, **fields: Any) -> dict[str, Any]:
    """A step that runs a shell script."""
    return {"name": name, "container": {"command": ["sh", "-ec", script]}, **fields}


def workflow(name: str, steps: Sequence[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "mlworkflow.io/v1alpha1",
        "kind": "MLWorkflow",
        "metadata": {"name": name},
        "spec": {"steps": list(steps), **spec},
    }


@dataclass
class Home:
    """A folder of runs, in which `mlwf` is a process of its own."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def mlwf(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "operator"), str(ROOT / "steps")]),
            "LANG": "C.UTF-8",
            "MLWF_HOME": str(self.folder / "runs"),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, *words], cwd=self.folder, env=environ, text=True,
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options},
        )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, resource: dict[str, Any]) -> subprocess.Popen[str]:
        """Begin a run."""
        file = self.folder / f"{resource['metadata']['name']}.yaml"
        file.write_text(json.dumps(resource))
        return self.mlwf("run", "--quiet", file.name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def runs(self) -> list[dict[str, Any]]:
        out, _ = self.mlwf("list", "--local", "-o", "json").communicate(timeout=120)
        found: list[dict[str, Any]] = json.loads(out)
        return found

    def stop(self) -> None:
        """Runs that the page has started end: their processes are nobody's children."""
        for run in self.runs():
            if run["phase"] in ("Pending", "Running", "Suspended"):
                self.mlwf("stop", run["id"], "--local").wait(120)

    def end(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.terminate()
        for process in self.started:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(is_so: Callable[[], Any], seconds: float = 120) -> Any:
    """What it gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.1)
    return found


@contextmanager
def served(home: Home, *words: str) -> Iterator[str]:
    """The address of the page, with the token that lets in: of `home`'s own runs unless `words` say otherwise."""
    process = home.mlwf("ui", *(words or ["--local"]), "--port", "0", "--no-browser")
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(r"http://\S+", line):
            break
    else:
        raise AssertionError(f"no page: {said}")
    try:
        yield found[0]
    finally:
        process.terminate()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. While it is there, tests of the same process must not be async: Playwright's loop runs."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    assert program, f"no browser here, none of {', '.join(NAMES)}: `make prepare TIERS=component` installs one"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=_OPTIONS)
        yield started
        started.close()


@dataclass
class Window:
    """The page in a window of the browser, and what went wrong in it."""

    page: Page
    complaints: list[str]

    def fresh(self) -> None:
        """As it is when it is opened: nothing chosen, nothing kept, no view but an empty one."""
        self.page.set_viewport_size({"width": 1600, "height": 1000})
        self.page.emulate_media(color_scheme="light")
        for _ in range(3):
            if self.page.locator("dialog[open]").count():
                self.page.keyboard.press("Escape")
        self.go("#/empty")
        self.page.get_by_text("There is no such page").wait_for()

    @contextmanager
    def anew(self) -> Iterator[None]:
        """For one test of several that share the window: what it complains of meanwhile is that test's."""
        self.fresh()
        yield
        complaints, self.complaints[:] = [*self.complaints], []
        assert complaints == []

    def go(self, address: str) -> Page:
        """To a view: `#/runs`."""
        self.page.evaluate("address => { location.hash = address }", address)
        return self.page

    def sees(self, text: str | re.Pattern[str], *, within: str = "body") -> None:
        self.page.locator(within).get_by_text(text).first.wait_for(timeout=PATIENCE)

    def axe(self) -> list[str]:
        """Serious and critical faults that axe finds."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate((WEB / "node_modules/axe-core/axe.min.js").read_text())
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    def pictures(self, name: str, widths: Mapping[int, int] = WIDTHS) -> None:
        """The view at each width, the widest in the dark too, into build/screenshots/; nothing may stick out at the side."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        for width, height in widths.items():
            self.page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark") if width == max(WIDTHS) else ("light",):
                self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                self.page.wait_for_timeout(150)
                self.page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png")
            over = self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{name} is {over} pixels wider than {width}"
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size({"width": 1600, "height": 1000})


@contextmanager
def window(browser: Browser, address: str, *, shown: str = "main.page", **options: Any) -> Iterator[Window]:
    """A window of its own, once it shows the page. What its console complained of fails the test; what it shows when one fails is kept as a picture."""
    context = browser.new_context(**{"viewport": {"width": 1600, "height": 1000}, "color_scheme": "light", "timezone_id": "UTC", "reduced_motion": "reduce", **options})  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    opened = Window(page, [])
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda dialog: (opened.complaints.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
    page.goto(address)
    page.locator(shown).wait_for()
    try:
        yield opened
    except BaseException:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / "failed.png")
        raise
    context.close()
    assert opened.complaints == [], opened.complaints

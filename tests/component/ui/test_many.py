"""Large things stay quick: a run of 5,000 steps, and a list of 10,000 runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.ui.page import PATIENCE, PICTURES, Home, Window, served, sh, until, window, workflow

STEPS, RUNS = 5_000, 10_000
_MEASURED = """() => {
    const asked = performance.getEntriesByType('resource').filter(each => each.name.includes('api/v1/run?')).at(-1);
    const drawn = performance.getEntriesByName('graph drawn').at(-1);
    return [asked.duration, drawn.startTime - asked.responseEnd];
}"""


def _large() -> dict[str, Any]:
    """5,000 steps of fifty kinds behind a decision, none of them like its neighbours: each layer waits for other steps of the one before."""
    layers = [[f"s{layer:02}-{place:03}" for place in range(100)] for layer in range(50)]
    steps = [{"name": "go", "approve": {"message": "Go?"}}]
    for layer, names in enumerate(layers):
        for place, name in enumerate(names):
            after = (
                [layers[layer - 1][(place * 7 + each * 13) % 100] for each in range(1 + (place + layer) % 3)]
                if layer
                else ["go"]
            )
            steps.append(sh(name, "true", after=sorted(set(after))))
    return workflow("large", steps)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page of one large run that waits, and of one small run 10,000 times."""
    home = Home(tmp_path_factory.mktemp("many"))
    large = home.run(_large())
    try:
        home.run(workflow("one", [sh("only", "true")])).wait(120)
        folder = home.folder / "runs" / "runs"
        until(lambda: (folder / "large.1.json").exists() and _phase(folder / "large.1.json") == "Running")
        text = (folder / "one.1.json").read_text()
        uid, created = json.loads(text)["metadata"]["uid"], json.loads(text)["metadata"]["creationTimestamp"]
        for number in range(2, RUNS + 1):
            then = (datetime.now(UTC) - timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            copy = text.replace(uid, f"{number:08}-0000-4000-8000-000000000000").replace(created, then)
            (folder / f"one.{number}.json").write_text(copy)
        with served(home) as address:
            yield address
    finally:
        large.kill()  # to cancel 5,000 steps one by one takes a while
        home.end()


def _phase(file: Path) -> str:
    return str((json.loads(file.read_text()).get("status") or {}).get("phase"))


@pytest.fixture
def seen(browser: Browser, many: str) -> Iterator[Window]:
    with window(browser, many) as opened:
        yield opened


def test_a_run_of_5000_steps_is_drawn_at_once(seen: Window, record_property: Any) -> None:
    page = seen.page
    seen.go(
        "#/run?namespace=local&run=large.1&tab=spec"
    )  # the view's code, and the server's reading of the run, are not what is measured
    expect(page.get_by_role("region", name="The workflow as YAML")).to_contain_text(
        "kind: MLWorkflow", timeout=PATIENCE
    )
    seen.go("#/runs")
    page.locator("tbody tr.item").first.wait_for()
    seen.go("#/run?namespace=local&run=large.1")
    page.locator('[data-node="go"]').wait_for()
    answered, drawn = page.evaluate(_MEASURED)
    record_property("seconds", drawn / 1000)
    print(f"5,000 steps: answered after {answered / 1000:.2f} s, drawn {drawn / 1000:.2f} s later")
    assert drawn < 5_000
    page.get_by_role("button", name="Show all (0)").click()
    page.screenshot(path=PICTURES / "run-large-1600-light.png")
    page.keyboard.press("3")
    expect(page.locator("table")).to_have_attribute("aria-rowcount", str(STEPS + 2))
    assert page.locator("tbody tr.item").count() < 100, "only rows in sight are in the document"
    assert seen.axe() == []


def test_a_list_of_10000_runs_is_scrolled_and_searched(seen: Window) -> None:
    page = seen.go("#/runs")
    expect(page.locator("header.title")).to_contain_text("10,001 runs", timeout=PATIENCE)
    table = page.locator(".table")
    for _ in range(8):
        table.evaluate("element => element.scrollTo(0, element.scrollHeight)")
        page.wait_for_timeout(100)
    assert page.locator("tbody tr.item").count() < 100
    assert int(page.locator("tbody tr.item").last.get_attribute("data-index") or 0) > 300
    page.get_by_role("searchbox").fill("one.9999")
    expect(page.locator("tbody tr.item")).to_have_count(1)
    expect(page.locator("tbody tr.item th")).to_have_text("one.9999")

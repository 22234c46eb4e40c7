"""The view of a search: real trials that ended in every way, and one that is under way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.page import PATIENCE, Home, Window, sh, until, workflow

expect.set_options(timeout=PATIENCE)
TUNE = "#/study?namespace=local&run=flowers.1&task=tune"


@pytest.fixture(scope="module")
def tuned(garden: Home) -> dict[str, Any]:
    """What the step `tune` has left, as `mlwf` says it."""
    out, _ = garden.mlwf("get", "flowers.1", "-o", "json", "--local").communicate(timeout=120)
    steps = {step["name"]: step["outputs"] for step in json.loads(out)["status"]["steps"] if "outputs" in step}
    found: dict[str, Any] = steps["tune"]
    return found


def chart(flowers: Window, title: str) -> Locator:
    return flowers.page.locator("figure.chart").filter(
        has=flowers.page.locator(".chart-title").get_by_text(title, exact=True)
    )


def test_a_search_shows_what_was_best_and_what_matters(flowers: Window, tuned: dict[str, Any]) -> None:
    page = flowers.go(TUNE)
    flowers.sees(f"Trial {tuned['best']['trial']}", within=".study-best")
    expect(page.locator(".study-best code")).to_have_count(3)
    for title in (
        "loss against size",
        "loss of each trial",
        "loss on the way",
        "What matters for loss",
        "depth",
        "rate",
        "kernel",
    ):
        expect(chart(flowers, title).locator("svg[aria-hidden]")).to_be_visible()
    flowers.sees("makes the greatest difference")
    page.get_by_role("tab", name="size").click()
    expect(chart(flowers, "size of each trial").locator("svg")).to_be_visible()
    assert flowers.page.get_by_text("<i>poly</i>").count() > 0


def test_every_chart_has_its_numbers_as_a_table(flowers: Window, tuned: dict[str, Any]) -> None:
    flowers.go(TUNE)
    shown = chart(flowers, "loss against size")
    shown.get_by_role("button", name="Data table").click()
    expect(shown.locator("tbody tr")).to_have_count(tuned["trial_count"] - tuned["failed_count"])
    front = shown.locator("tbody tr").filter(has_text="no trial is better in both")
    expect(front).to_have_count(len(tuned["pareto"]))
    shown.get_by_role("button", name="Data table").click()
    expect(shown.locator("svg")).to_be_visible()


def test_parallel_coordinates_tell_a_trial_and_lead_to_it(flowers: Window, tuned: dict[str, Any]) -> None:
    page = flowers.go(TUNE)
    lines = page.locator(".study-parallel .reach")
    expect(lines).to_have_count(tuned["trial_count"] - tuned["failed_count"])
    flowers.sees(f"Best: trial {tuned['best']['trial']}", within=".study-over")
    lines.last.dispatch_event("mouseenter")
    flowers.sees(f"Trial {tuned['best']['trial']}", within=".study-over")
    lines.last.dispatch_event("click")
    page.wait_for_url(f"**task=tune%2F{tuned['best']['trial']}*")


def test_trials_are_sorted_filtered_and_lead_to_their_tasks(flowers: Window, tuned: dict[str, Any]) -> None:
    page = flowers.go(TUNE)
    rows = page.get_by_role("table", name="All trials").locator("tr.item")
    expect(rows).to_have_count(tuned["trial_count"])
    page.get_by_role("button", name="loss", exact=True).click()
    expect(rows.first.locator("th")).to_have_text(str(tuned["best"]["trial"]))
    page.get_by_placeholder("depth=3").fill("failed depth=5")
    expect(rows).to_have_count(tuned["failed_count"])
    page.get_by_placeholder("depth=3").fill("nothing like it")
    flowers.sees("No trial fits")
    page.get_by_placeholder("depth=3").fill("")
    rows.first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**task=tune%2F{tuned['best']['trial']}*")


def test_a_trial_that_was_stopped_on_the_way_is_called_so(flowers: Window) -> None:
    page = flowers.go("#/study?namespace=local&run=flowers.1&task=stop")
    expect(page.get_by_role("button", name="Pruned 2")).to_be_visible()
    expect(chart(flowers, "loss on the way").locator("svg")).to_be_visible()
    flowers.sees("What matters is not known")


def test_a_search_that_is_under_way_goes_on_in_the_page(flowers: Window, garden: Home) -> None:
    wait = """[ "$MLWF_PARAM_N" = 0 ] || until [ -e "$GO" ]; do sleep 0.1; done; echo "{\\"name\\": \\"loss\\", \\"value\\": 1.$MLWF_PARAM_N}" >> "$MLWF_METRICS\""""
    trial = sh("", wait, env=[{"name": "GO", "value": str(garden.folder / "go")}])
    del trial["name"]
    search = {"metric": {"name": "loss", "goal": "minimize"}, "algorithm": {"grid": {}}, "space": {"n": {"choice": [0, 1]}}, "trials": {"max": 2, "parallel": 2}, "step": trial}  # fmt: skip
    going = garden.run(workflow("live", [{"name": "tune", "tune": search}]))
    try:
        until(lambda: any(run["id"] == "live.1" for run in garden.runs()))
        page = flowers.go("#/study?namespace=local&run=live.1&task=tune")
        expect(page.get_by_role("button", name="Running 1")).to_be_visible()
        expect(page.get_by_role("button", name="Succeeded 1")).to_be_visible()
    finally:
        (garden.folder / "go").touch()
        going.wait(120)
    expect(page.get_by_role("button", name="Succeeded 2")).to_be_visible()


def test_looks(flowers: Window) -> None:
    page = flowers.go(TUNE)
    expect(chart(flowers, "kernel").locator("svg")).to_be_visible()
    flowers.pictures("study")
    assert flowers.axe() == []
    page.emulate_media(color_scheme="dark")
    expect(chart(flowers, "kernel").locator("svg")).to_be_visible()
    assert flowers.axe() == []

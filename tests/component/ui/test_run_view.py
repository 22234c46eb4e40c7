"""A run: its graph, its time line, its steps, and what is told of one of them, while it goes on and afterwards."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.ui.page import PATIENCE, Home, Window


def _run(at: Window, run: str, **query: str) -> None:
    at.go(f"#/run?namespace=local&run={run}" + "".join(f"&{name}={value}" for name, value in query.items()))
    expect(at.page.locator("h1")).to_have_text(run, timeout=PATIENCE)


def test_the_graph_tells_how_each_step_stands(at: Window) -> None:
    page = at.page
    _run(at, "good.1")
    expect(page.locator(".node")).to_have_count(6)
    expect(page.locator('[data-node="fit"]')).to_contain_text("Succeeded")
    expect(page.locator('[data-node="never"]')).to_contain_text("Skipped")
    expect(page.locator('[data-node="folds"]')).to_contain_text("12/12")
    page.locator('[data-node="group"]').click()
    page.get_by_role("button", name="Show what is inside").click()
    expect(page.locator(".node")).to_have_count(2)
    page.get_by_role("button", name="All steps").click()
    expect(page.locator(".node")).to_have_count(6)


def test_the_graph_is_walked_by_keys(at: Window) -> None:
    page = at.page
    _run(at, "good.1")
    page.locator('[data-node="prep"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator('[data-node="report"]')).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.locator(".panel").wait_for()
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_have_count(0)
    assert page.locator('.node[tabindex="0"]').count() == 1


def test_a_graph_is_moved_and_enlarged(at: Window) -> None:
    page = at.page
    _run(at, "good.1")
    layer = page.locator(".graph .nodes")
    page.locator('[data-node="fit"]').wait_for()
    before = layer.get_attribute("style")
    page.get_by_role("button", name="Nearer (+)").click()
    nearer = layer.get_attribute("style")
    assert nearer != before
    box = page.locator(".graph").bounding_box()
    assert box
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 80, steps=4)
    page.mouse.up()
    assert layer.get_attribute("style") != nearer
    page.get_by_role("button", name="Show all (0)").click()


def test_a_step_tells_what_it_ran_with_took_and_left(at: Window) -> None:
    page = at.page
    _run(at, "good.1")
    page.locator('[data-node="fit"]').click()
    panel = page.locator(".panel")
    for said in ("depth", "as before", "table", "prep.table", "model", "accuracy", "0.9537", "Exit code"):
        expect(panel).to_contain_text(said)
    panel.get_by_role("tab", name="Metrics").click()
    expect(panel.get_by_role("row", name=re.compile("loss"))).to_contain_text("0.25")


def test_a_failure_says_why(at: Window) -> None:
    page = at.page
    _run(at, "bad.1")
    expect(page.locator(".failures")).to_contain_text("sweep/4")
    page.locator(".failures button", has_text="train").click()
    expect(page.locator(".panel")).to_contain_text("the disk is full")
    expect(page.locator(".panel")).to_contain_text("exit code 3")


def test_a_step_from_the_cache_says_whose_result_it_is(at: Window) -> None:
    _run(at, "cached.2", task="prep")
    expect(at.page.locator(".panel")).to_contain_text("cached")
    at.page.locator(".panel").get_by_role("link", name="cached.1").click()
    expect(at.page.locator("h1")).to_have_text("cached.1")


def test_items_of_a_fan_out_are_listed_and_filtered(at: Window) -> None:
    page = at.page
    _run(at, "bad.1", node="sweep")
    panel = page.locator(".panel")
    expect(panel.locator("tbody tr.item")).to_have_count(6)
    panel.get_by_role("button", name="Failed 1").click()
    expect(panel.locator("tbody tr.item")).to_have_count(1)
    panel.locator("tbody tr.item").click()
    expect(panel.get_by_role("heading", name="sweep/4")).to_be_visible()


def test_steps_and_time_line_show_what_the_graph_shows(at: Window) -> None:
    page = at.page
    _run(at, "good.1", tab="steps")
    expect(page.locator("tbody tr.item th", has_text=re.compile("^folds/11$"))).to_be_visible()
    page.keyboard.press("2")
    bars = page.locator(".timeline li")
    expect(bars).to_have_count(17)
    bars.filter(has_text="report").get_by_role("button").click()
    expect(page.locator(".panel").get_by_role("heading", name="report")).to_be_visible()
    page.keyboard.press("4")
    expect(page.get_by_role("region", name="The workflow as YAML")).to_contain_text("kind: MLWorkflow")


def test_a_log_is_searched(at: Window) -> None:
    page = at.page
    _run(at, "good.1", task="fit", part="log")
    panel = page.locator(".panel")
    expect(panel.locator(".lines")).to_contain_text("epoch 300")  # it begins with its end
    panel.get_by_role("searchbox").fill("epoch 17")
    at.sees("1 of 11", within=".panel")
    panel.get_by_role("searchbox").press("Enter")
    at.sees("2 of 11", within=".panel")
    expect(panel.locator(".line.is-hit")).to_contain_text("epoch 170")


def test_log_and_metrics_of_what_runs_come_as_they_are_said(at: Window, home: Home) -> None:
    page = at.page
    _run(at, "held.1", task="long", part="log")
    at.sees("begun", within=".lines")
    (home.folder / "word").touch()
    at.sees(re.compile(r"word \d"), within=".lines")
    page.locator(".panel").get_by_role("tab", name="Metrics").click()
    row = page.locator(".panel").get_by_role("row", name=re.compile("loss"))
    expect(row).to_be_visible(timeout=PATIENCE)
    before = row.inner_text()
    (home.folder / "word").touch()
    expect(row).not_to_have_text(before, timeout=PATIENCE)


def test_an_address_that_is_no_run_says_what_to_do(at: Window) -> None:
    at.go("#/run?namespace=local&run=nothing.1")
    at.sees("There is no such run")
    at.go("#/nowhere")
    at.sees("There is no such page")
    at.complaints.clear()  # the browser tells of each 404


VIEWS: dict[str, tuple[str, dict[str, str]]] = {
    "run-graph": ("good.1", {}),
    "run-step": ("good.1", {"task": "fit"}),
    "run-log": ("good.1", {"task": "fit", "part": "log"}),
    "run-metrics": ("good.1", {"task": "fit", "part": "metrics"}),
    "run-failed": ("bad.1", {"task": "train"}),
    "run-timeline": ("good.1", {"tab": "timeline"}),
    "run-steps": ("good.1", {"tab": "steps"}),
    "run-spec": ("good.1", {"tab": "spec"}),
    "run-waits": ("waits.1", {}),
    "run-fan": ("good.1", {"node": "folds"}),
}
_DRAWN = {"run-log": ".lines .line", "run-metrics": ".chart svg", "run-timeline": ".timeline li", "run-steps": "tbody tr.item", "run-spec": "pre", "run-fan": ".panel tr.item"}  # fmt: skip


def test_every_part_of_a_run_is_for_everybody_and_every_window(at: Window) -> None:
    for name, (run, query) in VIEWS.items():
        _run(at, run, **query)
        at.page.locator(_DRAWN.get(name, '.panel [role="tabpanel"]' if "task" in query else ".node")).first.wait_for()
        for scheme in ("light", "dark"):
            at.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert at.axe() == [], f"{name}, {scheme}"
        at.pictures(name)

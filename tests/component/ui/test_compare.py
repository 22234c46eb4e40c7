"""Runs beside each other."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.ui.page import PATIENCE, Window, until

expect.set_options(timeout=PATIENCE)
BOTH = "#/compare?runs=local/flowers.1,local/flowers.2"


def test_only_what_differs_is_shown_unless_all_is_asked_for(flowers: Window) -> None:
    page = flowers.go(BOTH)
    params = page.get_by_role("group", name="Parameters")
    expect(params.get_by_role("rowheader", name="depth", exact=True)).to_be_visible()
    row = params.locator("tr").filter(has=page.get_by_role("rowheader", name="depth", exact=True))
    expect(row.locator("td")).to_have_text(["2", "4 +2"])
    expect(params.get_by_role("rowheader", name="note")).to_have_count(0)
    page.get_by_label("Only differences").uncheck()
    expect(params.get_by_role("rowheader", name="note")).to_be_visible()
    expect(params.locator("tr").filter(has_text="note").locator("td").first).to_have_text(
        "<b onclick=alert(1)>as it is</b>"
    )
    page.get_by_placeholder("accuracy, max_depth").fill("cv_accuracy")
    expect(params).to_have_count(0)
    expect(page.get_by_role("group", name="Metrics").locator("tbody tr").first).to_contain_text("train.cv_accuracy")


def test_metrics_and_pictures_stand_beside_each_other(flowers: Window) -> None:
    page = flowers.go(BOTH)
    chart = page.locator("figure.chart").filter(has_text="cv_accuracy of train")
    expect(chart.locator("svg")).to_be_visible()
    chart.get_by_role("button", name="Data table").click()
    expect(chart.locator("tbody tr")).to_have_count(6)
    pictures = page.locator(".compare-pictures img")
    expect(pictures).to_have_count(2)
    assert until(lambda: pictures.evaluate_all("all => all.every(one => one.naturalWidth === 120)"))


def test_what_was_made_leads_to_itself(flowers: Window) -> None:
    page = flowers.go(BOTH)
    row = page.get_by_role("group", name="Outputs").locator("tr").filter(has_text="draw.facts")
    row.get_by_role("link").nth(1).click()
    expect(page.locator(".json")).to_contain_text("depth: 4")


def test_runs_are_found_and_left_out(flowers: Window) -> None:
    page = flowers.go("#/compare")
    flowers.sees("Choose two runs")
    page.get_by_placeholder("Find a run to compare").fill("flowers")
    for run in ("flowers.1", "flowers.2"):
        page.locator(".compare-found button").filter(has_text=run).click()
        if run == "flowers.1":
            flowers.sees("Choose one more run")
            page.get_by_placeholder("Find a run to compare").fill("flowers")
    expect(page.get_by_role("group", name="Metrics")).to_be_visible()
    assert "flowers.2" in page.url
    page.get_by_role("button", name="Leave out local/flowers.1").click()
    flowers.sees("Choose one more run")


def test_a_run_beside_itself_does_not_differ(flowers: Window) -> None:
    flowers.go("#/compare?runs=local/flowers.1,local/flowers.1")
    flowers.sees("These runs do not differ")


def test_looks(flowers: Window) -> None:
    page = flowers.go(BOTH)
    expect(page.locator("figure.chart svg").first).to_be_visible()
    expect(page.locator(".compare-pictures img")).to_have_count(2)
    flowers.pictures("compare")
    assert flowers.axe() == []
    page.emulate_media(color_scheme="dark")
    assert flowers.axe() == []

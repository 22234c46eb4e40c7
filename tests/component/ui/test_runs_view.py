"""The list of runs: what it shows, how it is searched, that it is live, and what is chosen in it."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.ui.page import Home, Window, sh, workflow


def _names(at: Window) -> list[str]:
    return at.page.locator("tbody tr.item th").all_inner_texts()


def test_runs_are_found_by_phase_and_by_words(at: Window) -> None:
    page = at.go("#/runs")
    at.sees("good.1")
    page.get_by_role("button", name=re.compile(r"^Failed \d")).click()
    expect(page.locator("tbody tr.item", has_text="Succeeded")).to_have_count(0)
    expect(page.locator("tbody tr.item th", has_text="bad.1")).to_be_visible()
    assert "phase=Failed" in page.url
    page.get_by_role("button", name="Clear").click()
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type("first try")  # a value of a parameter
    expect(page.locator("tbody tr.item")).to_have_count(1)
    assert _names(at) == ["good.1"]
    page.get_by_role("searchbox").fill("no such words")
    at.sees("No run fits")
    page.get_by_role("button", name="Show all runs").click()
    at.sees("good.1")


def test_a_run_that_begins_shows_up_by_itself(at: Window, home: Home) -> None:
    at.go("#/runs")
    at.sees("Live", within=".side")
    at.sees("good.1")
    home.run(workflow("newcomer", [sh("only", "true")]))
    at.sees("newcomer.1")
    expect(at.page.locator('tr[data-key="local/newcomer.1"]')).to_contain_text("Succeeded", timeout=60_000)


def test_runs_are_chosen_and_opened_by_keys_alone(at: Window) -> None:
    page = at.go("#/runs?sort=name")
    at.sees("good.1")
    assert _names(at)[0] == "asks.1"
    page.locator("tbody tr.item").first.focus()
    page.keyboard.press("Space")
    at.sees("Choose one more to compare.")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    compare = page.get_by_role("button", name="Compare")
    expect(compare).to_be_enabled()
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/run?*run=bad.1*")
    expect(page.locator("h1")).to_have_text("bad.1")


def test_the_columns_sort(at: Window) -> None:
    page = at.go("#/runs?sort=name")
    at.sees("good.1")
    page.get_by_role("columnheader", name="Run").get_by_role("button").click()
    expect(page.locator("tbody tr.item th").last).to_have_text("asks.1")
    assert page.get_by_role("columnheader", name="Run").get_attribute("aria-sort") == "descending"


def test_the_list_is_for_everybody_and_every_window(at: Window) -> None:
    page = at.go("#/runs")
    at.sees("good.1")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert at.axe() == []
    at.pictures("runs")


def test_the_theme_is_chosen_and_kept(at: Window) -> None:
    page = at.go("#/runs")
    toggle = page.get_by_role("button", name="Theme:")
    toggle.click()
    toggle.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="Theme:").click()


def test_a_phone_has_the_navigation_behind_a_button(at: Window) -> None:
    page = at.page
    page.set_viewport_size({"width": 360, "height": 740})
    at.go("#/runs")
    at.sees("good.1")
    assert not page.get_by_role("navigation", name="Views").is_visible()
    page.get_by_role("button", name="Navigation").click()
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Runs").wait_for()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="Views")).to_be_hidden()


def test_the_keys_are_listed_and_lead_past_the_navigation(at: Window) -> None:
    page = at.go("#/runs")
    page.reload()
    at.sees("good.1")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("Search runs")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_page_says_when_it_is_not_up_to_date_and_catches_up(at: Window) -> None:
    page = at.page
    events = re.compile("runs/events")
    page.route(events, lambda route: route.abort())
    at.go("#/runs")
    at.sees(re.compile("Not up to date for"), within=".side")
    page.unroute(events)
    at.sees("good.1")
    expect(page.locator(".side .live")).to_have_text("Live")
    at.complaints.clear()  # the browser tells of what it did not get

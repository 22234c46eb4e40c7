"""The editor: what it offers, what it says of mistakes, and a run that is started from it."""

from __future__ import annotations

import gzip
import json

from playwright.sync_api import Browser, Locator, Response, expect

from tests.ui.page import PATIENCE, Home, Window, until, window
from tests.ui.walk import replace

expect.set_options(timeout=PATIENCE)
SMALLEST = 80 * 1024
TEXT = """apiVersion: mlworkflow.io/v1alpha1
kind: MLWorkflow
metadata: {name: typed}
spec:
  params: {words: as written, often: 1}
  steps:
    - name: say
      params: {words: "${{ params.words }}", often: "${{ params.often }}"}
      container: {command: [sh, -c, 'echo "$MLWF_PARAM_OFTEN $MLWF_PARAM_WORDS"']}
"""


def editor(flowers: Window) -> Locator:
    flowers.go("#/submit")
    found = flowers.page.get_by_role("textbox", name="The workflow as YAML")
    expect(found).to_be_visible()
    return found


def test_a_run_is_started_from_the_editor(flowers: Window, garden: Home) -> None:
    page = flowers.page
    replace(flowers, TEXT)
    flowers.sees("typed is sound.")
    expect(page.locator(".submit-plan g")).to_have_count(1)
    often = page.get_by_label("often")
    often.fill("many")
    flowers.sees("a number is expected, like 1")
    start = page.get_by_role("button", name="Start the run")
    expect(start).to_be_disabled()
    often.fill("3")
    page.get_by_label("words").first.fill("<i>of mine</i>")
    start.click()
    page.wait_for_url("**#/run?*run=typed.1*")
    until(lambda: any((run["id"], run["phase"]) == ("typed.1", "Succeeded") for run in garden.runs()))
    out, _ = garden.mlwf("get", "typed.1", "-o", "json", "--local").communicate(timeout=120)
    assert json.loads(out)["spec"]["params"] == {"words": "<i>of mine</i>", "often": 3}


def test_fields_and_values_are_offered(flowers: Window) -> None:
    page = flowers.page
    replace(flowers, TEXT + "      re")
    page.keyboard.press("Control+Space")
    offered = page.locator(".cm-tooltip-autocomplete li")
    expect(offered.filter(has_text="retry").first).to_be_visible()
    page.keyboard.type("try")
    expect(offered.first).to_contain_text("retry")
    until(lambda: page.locator(".cm-tooltip-autocomplete li[aria-selected]").count())
    page.wait_for_timeout(100)  # an offer is taken by Enter only when it has been there for a moment
    page.keyboard.press("Enter")
    expect(editor(flowers)).to_contain_text("retry:")
    page.keyboard.press("Control+Space")
    expect(offered.filter(has_text="limit").first).to_be_visible()
    page.keyboard.press("Escape")


def test_mistakes_are_told_with_their_lines(flowers: Window) -> None:
    page = flowers.page
    replace(flowers, TEXT.replace("container: {command", "container: {comand"))
    mistake = page.locator(".submit-list button").first
    expect(mistake).to_contain_text("comand")
    expect(page.locator(".cm-lint-marker-error").first).to_be_visible()
    expect(page.get_by_role("button", name="Start the run")).to_be_disabled()
    mistake.click()
    expect(page.locator(".cm-activeLine").first).to_contain_text("comand")


def test_tab_leaves_the_editor(flowers: Window) -> None:
    text = editor(flowers)
    text.focus()
    flowers.page.keyboard.press("Tab")
    expect(text).not_to_be_focused()


def test_an_example_and_a_run_are_beginnings(flowers: Window) -> None:
    text = editor(flowers)
    flowers.page.get_by_label("Start from").select_option("fan-out")
    expect(text).to_contain_text("name: fan-out")
    flowers.go("#/submit?from=local/flowers.2")
    expect(flowers.page.get_by_role("textbox", name="The workflow as YAML")).to_contain_text("name: flowers")


def test_what_the_list_of_runs_loads_is_small(browser: Browser, garden_address: str) -> None:
    """What a first look costs: neither charts nor the editor are part of it."""
    loaded: list[Response] = []
    with window(browser, garden_address) as opened:
        opened.page.on("response", lambda said: loaded.append(said))
        opened.page.reload()
        opened.page.locator("tr.item").first.wait_for()
        code = {said.url: said.body() for said in loaded if said.url.split("?")[0].endswith((".js", ".css"))}
    assert code
    assert sum(len(gzip.compress(body)) for body in code.values()) <= SMALLEST
    assert not any("engine" in url or "Submit" in url for url in code)


def test_looks(flowers: Window) -> None:
    replace(flowers, TEXT)
    flowers.sees("typed is sound.")
    expect(flowers.page.locator(".submit-plan g")).to_have_count(1)
    flowers.pictures("submit")
    assert flowers.axe() == []
    flowers.page.emulate_media(color_scheme="dark")
    assert flowers.axe() == []

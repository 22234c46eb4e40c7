"""Models by name, and the moves that a person makes in the page; datasets by name."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import expect

from tests.ui.page import PATIENCE, Home, Window

expect.set_options(timeout=PATIENCE)
FLOWERS = "#/models?namespace=local&name=flowers"


def model(garden: Home) -> dict[str, Any]:
    out, _ = garden.mlwf("models", "show", "flowers", "-o", "json", "--local").communicate(timeout=120)
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_model_tells_its_versions_their_metrics_and_every_move(flowers: Window) -> None:
    page = flowers.go("#/models")
    page.get_by_role("link", name="flowers").click()
    expect(page.locator(".models-version")).to_have_count(2)
    expect(page.locator(".models-version").filter(has_text="champion")).to_contain_text("Version 2")
    metrics = page.get_by_role("group", name="Metrics of the newest versions")
    expect(metrics.locator("thead th")).to_have_text(["Metric", "Version 2 (champion)", "Version 1"])
    expect(metrics.locator("tbody tr").first).to_contain_text("train.cv_accuracy")
    expect(page.locator(".models-moves li").first).to_contain_text("depth 4: <script>alert(1)</script>")
    page.locator(".models-version").filter(has_text="Version 1").get_by_role("link", name="flowers.1 / train").click()
    page.wait_for_url("**#/run?*task=train*")


def test_an_alias_is_moved_with_a_reason_and_rolled_back(flowers: Window, garden: Home) -> None:
    page = flowers.go(FLOWERS)
    page.get_by_role("button", name="Promote version 1").click()
    dialog = page.get_by_role("dialog")
    promote = dialog.get_by_role("button", name="Promote", exact=True)
    expect(dialog).to_contain_text("champion means version 2 now. It will mean version 1")
    expect(promote).to_be_disabled()
    dialog.get_by_label("Reason").fill("it is <b>smaller</b>")
    promote.click()
    expect(dialog).to_have_count(0)
    move = page.locator(".models-moves li").first
    expect(move).to_contain_text("champion → version 1, was 2")
    expect(move).to_contain_text("it is <b>smaller</b>")
    assert model(garden)["aliases"] == {"champion": 1}

    page.get_by_role("button", name="Roll back to 2").click()
    dialog.get_by_label("Reason").fill("too small")
    dialog.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.locator(".models-moves li").first).to_contain_text("rolled back")
    found = model(garden)
    assert found["aliases"] == {"champion": 2}
    assert (found["moves"][-1]["message"], found["moves"][-1]["rollback"]) == ("too small", True)


def test_whoever_was_quicker_is_told_and_nothing_is_moved(flowers: Window, garden: Home) -> None:
    page = flowers.go(FLOWERS)
    page.get_by_role("button", name="Promote version 1").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Alias").fill("stage")
    dialog.get_by_label("Reason").fill("to try it")
    out, _ = garden.mlwf("models", "promote", "flowers", "2", "--alias", "stage", "--local").communicate(timeout=120)
    assert "stage" in out
    dialog.get_by_role("button", name="Promote", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("stage")
    assert model(garden)["aliases"]["stage"] == 2
    flowers.complaints.clear()  # the browser counts an answer 409 as an error


def test_what_a_run_has_left_gets_a_name(flowers: Window, garden: Home) -> None:
    page = flowers.go("#/artifacts?namespace=local&run=flowers.1")
    step = page.locator(".artifacts-steps > li").filter(has=page.get_by_role("heading", name="train", exact=True))
    step.get_by_role("link", name="model").click()
    page.get_by_role("button", name="Promote").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Name Of the model").fill("small-flowers")
    expect(dialog).to_contain_text("small-flowers@champion means nothing yet.")
    dialog.get_by_label("Reason").fill("two levels are enough")
    dialog.get_by_role("button", name="Promote", exact=True).click()
    expect(page.get_by_role("heading", name="small-flowers")).to_be_visible()
    expect(page.locator(".models-moves li")).to_contain_text("two levels are enough")
    out, _ = garden.mlwf("models", "list", "-o", "json", "--local").communicate(timeout=120)
    assert {"small-flowers", "flowers"} == {found["name"] for found in json.loads(out)}


def test_no_alias_without_a_name_that_is_one(flowers: Window) -> None:
    page = flowers.go(FLOWERS)
    page.get_by_role("button", name="Promote version 1").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("because")
    dialog.get_by_label("Alias").fill("Not One")
    expect(dialog).to_contain_text("Small letters")
    expect(dialog.get_by_role("button", name="Promote", exact=True)).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_datasets_lead_to_their_versions_and_what_is_in_them(flowers: Window) -> None:
    page = flowers.go("#/datasets")
    page.get_by_role("link", name="numbers").click()
    row = page.get_by_role("table", name="Versions of numbers").locator("tr.item")
    expect(row).to_have_count(1)
    row.get_by_role("link").click()
    expect(page.locator(".artifact-line").nth(9)).to_have_text("9")
    expect(page.locator(".artifact-name")).to_contain_text("numbers")


def test_looks(flowers: Window) -> None:
    page = flowers.go(FLOWERS)
    expect(page.locator(".models-version")).to_have_count(2)
    flowers.pictures("model")
    assert flowers.axe() == []
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Promote version 1").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert flowers.axe() == []

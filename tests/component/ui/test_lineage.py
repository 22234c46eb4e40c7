"""The view of a lineage: as a drawing that is walked through by keys, and as a table."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.ui.page import PATIENCE, Home, Window

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def model(garden: Home) -> str:
    """The address of the lineage of the model of `flowers.1`."""
    out, _ = garden.mlwf("artifacts", "flowers.1", "-o", "json", "--local").communicate(timeout=120)
    digest = next(one["digest"] for one in json.loads(out) if (one["task"], one["name"]) == ("train", "model"))
    return f"#/lineage?namespace=local&run=flowers.1&digest={digest}"


def test_arrow_keys_go_along_the_arrows(flowers: Window, model: str) -> None:
    page = flowers.go(model)
    expect(page.get_by_role("heading", name="Lineage of train.model")).to_be_visible()
    chosen = page.locator(".lineage-node[aria-pressed=true]")
    expect(chosen).to_contain_text("train.model")
    expect(page.locator(".lineage-node")).to_have_count(5)
    chosen.focus()
    for key, reached in (("ArrowLeft", "train"), ("ArrowLeft", "prep.train"), ("ArrowLeft", "prep"), ("ArrowRight", "prep.train"), ("ArrowRight", "train"), ("ArrowRight", "train.model"), ("ArrowRight", "promote")):  # fmt: skip
        page.keyboard.press(key)
        expect(chosen.locator(".title")).to_have_text(reached)
        expect(chosen).to_be_focused()
    expect(page.locator(".lineage-facts")).to_contain_text("Step of the kind promote")
    assert "node=" in page.url


def test_the_chosen_one_leads_on(flowers: Window, model: str) -> None:
    page = flowers.go(model)
    facts = page.locator(".lineage-facts")
    expect(facts).to_contain_text("train.model")
    facts.get_by_role("button", name="train", exact=True).click()
    expect(facts).to_contain_text("cv_accuracy")
    page.locator(".lineage-node").filter(has_text="prep.train").click()
    facts.get_by_role("link", name="Look at it").click()
    expect(page.locator(".artifact-name")).to_contain_text("prep.train")
    expect(page.locator(".artifact-column")).to_have_count(5)


def test_the_table_has_every_arrow(flowers: Window, model: str) -> None:
    page = flowers.go(model)
    edges = page.locator(".lineage-edge")
    expect(edges).to_have_count(4)
    page.get_by_role("tab", name="Table").click()
    rows = page.locator(".lineage-table tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.filter(has_text="train.model").filter(has_text="was used by")).to_contain_text("promote")
    rows.first.get_by_role("button").first.click()
    expect(page.locator(".lineage-table tr.is-chosen").first).to_be_visible()


def test_what_nobody_knows_says_so(flowers: Window) -> None:
    page = flowers.go(f"#/lineage?namespace=local&digest=sha256:{'0' * 64}")
    expect(page.get_by_role("alert")).to_be_visible()
    flowers.complaints.clear()  # the browser counts an answer 404 as an error


def test_looks(flowers: Window, model: str) -> None:
    page = flowers.go(model)
    expect(page.locator(".lineage-node")).to_have_count(5)
    flowers.pictures("lineage")
    assert flowers.axe() == []
    page.emulate_media(color_scheme="dark")
    page.get_by_role("tab", name="Table").click()
    expect(page.locator(".lineage-table")).to_be_visible()
    assert flowers.axe() == []

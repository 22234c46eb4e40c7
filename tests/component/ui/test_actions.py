"""What a person asks of a run in the page is done, after a window has said what will happen."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.component.ui.test_run_view import _run
from tests.ui.page import PATIENCE, Home, Window, sh, workflow


def test_a_decision_takes_its_inputs_and_the_run_goes_on(at: Window) -> None:
    page = at.page
    _run(at, "asks.1")
    page.locator(".waiting").get_by_role("button", name="Approve").click()
    dialog = page.get_by_role("dialog", name="Approve agree")
    expect(dialog).to_contain_text("Is this fit to ship?")
    assert at.axe() == []
    at.pictures("run-approve")
    dialog.get_by_role("button", name="Approve").click()
    expect(dialog).to_contain_text("Needed.")
    dialog.get_by_label("share").fill("a half")
    expect(dialog).to_contain_text("A number.")
    dialog.get_by_label("share").fill("0.5")
    dialog.get_by_label("where").select_option("east")
    dialog.get_by_label("Comment").fill("looks good")
    dialog.get_by_role("button", name="Approve").click()
    expect(dialog).to_be_hidden(timeout=PATIENCE)
    expect(page.locator(".title .badge")).to_have_text("Succeeded", timeout=PATIENCE)
    page.locator('[data-node="agree"]').click()
    expect(page.locator(".panel")).to_contain_text("looks good")
    page.locator('[data-node="ship"]').click()
    expect(page.locator(".panel")).to_contain_text("0.5")


def test_a_failed_run_is_retried_with_other_parameters(at: Window, home: Home) -> None:
    flaky = sh("flaky", '[ "$MLWF_PARAM_N" = 2 ]', params={"n": "${{ params.n }}"})
    home.run(workflow("flaky", [sh("first", "true"), flaky], params={"n": 1})).wait(120)
    page = at.page
    _run(at, "flaky.1")
    page.get_by_role("button", name="Retry", exact=True).click()
    dialog = page.get_by_role("dialog", name="Retry flaky.1")
    dialog.get_by_text("With other parameters").click()
    dialog.get_by_label("n", exact=True).fill("two")
    expect(dialog.get_by_role("button", name="Retry")).to_be_disabled()
    dialog.get_by_label("n", exact=True).fill("2")
    dialog.get_by_role("button", name="Retry").click()
    expect(dialog).to_be_hidden(timeout=PATIENCE)
    expect(page.locator(".title .badge")).to_have_text("Succeeded", timeout=PATIENCE)
    page.locator('[data-node="first"]').click()  # and from a step that has succeeded
    page.get_by_role("button", name="Retry from here").click()
    again = page.get_by_role("dialog")
    expect(again.get_by_label("first")).to_be_checked()
    again.get_by_role("button", name="Run again from there").click()
    expect(again).to_be_hidden(timeout=PATIENCE)
    expect(page.locator('[data-node="first"]')).to_contain_text("×2", timeout=PATIENCE)


def test_a_rejection_fails_the_step(at: Window, home: Home) -> None:
    home.run(workflow("refused", [{"name": "agree", "approve": {"message": "Go?"}}]))
    page = at.go("#/runs")
    at.sees("refused.1")
    _run(at, "refused.1", task="agree")
    page.locator(".panel").get_by_role("button", name="Reject").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Comment").fill("not today")
    dialog.get_by_role("button", name="Reject").click()
    expect(page.locator(".title .badge")).to_have_text("Failed", timeout=PATIENCE)
    expect(page.locator(".panel")).to_contain_text("not today")

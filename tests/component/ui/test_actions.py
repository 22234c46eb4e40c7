"""What a person asks of a run in the page is done, after a window has said what will happen."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.component.ui.page import PATIENCE, Home, Window, sh, workflow
from tests.component.ui.test_run_view import _run


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


def test_a_run_is_suspended_resumed_cancelled_and_deleted(at: Window, home: Home) -> None:
    gate = home.folder / "gate"
    wait = f"while [ ! -e '{gate}' ]; do sleep 0.2; done"
    home.run(workflow("steered", [sh("one", wait), sh("two", "sleep 600", after=["one"])]))
    page = at.go("#/runs")
    at.sees("steered.1")
    _run(at, "steered.1")
    for deed, button in (("Suspend", "Suspend"), ("Resume", "Resume")):
        page.get_by_role("button", name=deed, exact=True).click()
        dialog = page.get_by_role("dialog", name=f"{deed} steered.1?")
        dialog.get_by_role("button", name=button, exact=True).click()
        expect(dialog).to_be_hidden(timeout=PATIENCE)
        other = {"Suspend": "Resume", "Resume": "Suspend"}[deed]
        expect(page.get_by_role("button", name=other, exact=True)).to_be_visible(timeout=PATIENCE)
    gate.touch()
    expect(page.locator('[data-node="two"]')).to_contain_text("Running", timeout=PATIENCE)
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Back").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    expect(page.locator(".title .badge")).to_have_text("Cancelled", timeout=PATIENCE)
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the run").click()
    page.wait_for_url("**/#/runs*")
    expect(page.locator('tr[data-key="local/steered.1"]')).to_have_count(0, timeout=PATIENCE)


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

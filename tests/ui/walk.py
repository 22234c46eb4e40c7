"""A walk through the page: every view and every action, against real runs that it starts itself. One walk, wherever the runs are.

Each function is a stretch of it and leaves the window somewhere; `looked` is called at every view with its name, once what it shows is there. Callers:
tests/component/ui/test_walk.py (this machine), tests/cluster/test_ui.py (the node: for a team, and with a kubeconfig).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

from playwright.sync_api import Locator, expect

from tests.ui.page import PATIENCE, Window

expect.set_options(timeout=PATIENCE)
FILES = Path(__file__).parent
TEXT = (FILES / "walk.yaml").read_text()
STEERED = (FILES / "steered.yaml").read_text()
STEPS = 5
_PASTE = """(field, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    field.dispatchEvent(new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true, composed: true}));
}"""
Looked = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Which:
    """A run, as addresses of the page name it."""

    namespace: str
    run: str

    def at(self, view: str, **query: str) -> str:
        words = {"namespace": self.namespace, "run": self.run, **query}
        return f"#/{view}?{'&'.join(f'{name}={value}' for name, value in words.items())}"


def replace(window: Window, text: str) -> None:
    """What stands in the editor, as somebody pastes over it."""
    window.go("#/submit")
    field = window.page.get_by_role("textbox", name="The workflow as YAML")
    field.focus()
    window.page.keyboard.press("Control+a")
    field.evaluate(_PASTE, text)


def submit(window: Window, text: str, looked: Looked, **params: str) -> Which:
    """From the editor, with other parameters. The window is at the new run."""
    page = window.page
    replace(window, text)
    window.sees("is sound.")
    for name, value in params.items():
        page.get_by_label(name).fill(value)
    looked("submit")
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile(r"#/run\?.*run="))
    said = parse_qs(page.url.partition("#")[2].partition("?")[2])
    return Which(said["namespace"][0], said["run"][0])


def steer(window: Window, looked: Looked, *, has_pod: bool) -> Which:
    """A run that goes on: its log and metrics as they come, its Pod; then suspended, resumed, cancelled."""
    which = submit(window, STEERED, lambda _: None)
    page, panel = window.page, window.page.locator(".panel")
    page.locator('[data-node="speak"]').click()
    expect(page.locator('[data-node="speak"]')).to_contain_text("Running")
    panel.get_by_role("tab", name="Log").click()
    expect(panel.locator(".lines")).to_contain_text("word 3")
    looked("run-log")
    panel.get_by_role("tab", name="Metrics").click()
    row = panel.get_by_role("row", name=re.compile("loss"))
    before = row.inner_text()
    expect(row).not_to_have_text(before)
    if has_pod:
        panel.get_by_role("tab", name="Pod").click()
        for said in ("Running", "64Mi", "256Mi", "Scheduled", "Started"):
            expect(panel).to_contain_text(said)
        looked("run-pod")
    for verb, phase in (("Suspend", "Suspended"), ("Resume", "Running")):
        page.get_by_role("button", name=verb, exact=True).click()
        dialog = page.get_by_role("dialog", name=f"{verb} {which.run}?")
        dialog.get_by_role("button", name=verb, exact=True).click()
        expect(dialog).to_be_hidden()
        expect(page.locator(".title .badge")).to_have_text(phase)
    if has_pod:
        page.get_by_role("tab", name="Events").click()
        for said in ("Started", "Suspended", "Resumed"):  # they come while it is looked at
            expect(page.locator(".split .events").first).to_contain_text(said)
    for answer in ("Back", "Cancel the run"):
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name=answer).click()
        expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator(".title .badge")).to_have_text("Cancelled")
    return which


def approve(window: Window, which: Which, looked: Looked) -> None:
    """The run goes on to its end."""
    page = window.go(which.at("run"))
    page.locator(".waiting").get_by_role("button", name="Approve").click()
    dialog = page.get_by_role("dialog", name="Approve agree")
    dialog.get_by_label("Comment").fill("looks good")
    looked("run-approve")
    dialog.get_by_role("button", name="Approve").click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".title .badge")).to_have_text("Succeeded")


def retry(window: Window, which: Which) -> None:
    """From `evaluate` on, which then asks again. What it was at first can still be looked at."""
    page = window.go(which.at("run", task="evaluate"))
    page.get_by_role("button", name="Retry from here").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("evaluate")).to_be_checked()
    dialog.get_by_role("button", name="Run again from there").click()
    expect(dialog).to_be_hidden()
    expect(page.locator('[data-node="evaluate"]')).to_contain_text("×2")
    panel = page.locator(".panel")
    panel.get_by_label("Attempt").select_option("1")
    expect(panel).to_contain_text("Exit code")
    assert "attempt=0" in page.url
    approve(window, which, lambda _: None)


def watch(window: Window, which: Which, looked: Looked, *, has_pod: bool) -> None:
    """A run that has ended: each tab of it, and one step."""
    page = window.go(which.at("run"))
    expect(page.locator(".node")).to_have_count(STEPS)
    for step in ("prep", "train", "evaluate"):
        expect(page.locator(f'[data-node="{step}"]')).to_contain_text("Succeeded")
    looked("run-graph")
    window.go(which.at("run", tab="timeline"))
    expect(page.locator(".timeline li")).to_have_count(STEPS + 1)  # the search is its trials
    looked("run-timeline")
    window.go(which.at("run", tab="steps"))
    expect(page.locator("tbody tr.item").filter(has_text="tune/1")).to_be_visible()
    window.go(which.at("run", tab="spec"))
    expect(page.get_by_role("region", name="The workflow as YAML")).to_contain_text("kind: MLWorkflow")
    if has_pod:
        window.go(which.at("run", tab="events"))
        expect(page.locator(".events")).to_contain_text("Succeeded")
        looked("run-events")
    window.go(which.at("run", task="train"))
    panel = page.locator(".panel")
    for said in ("prep.train", "cv_accuracy", "max_depth", "Exit code"):
        expect(panel).to_contain_text(said)
    looked("run-step")
    panel.get_by_role("tab", name="Log").click()
    expect(panel.locator(".line").first).to_be_visible()


def study(window: Window, which: Which, looked: Looked) -> None:
    page = window.go(which.at("study", task="tune"))
    expect(page.locator("figure.chart svg").first).to_be_visible()
    expect(page.locator(".study-parallel .reach")).to_have_count(2)
    expect(page.get_by_role("table", name="All trials").locator("tr.item")).to_have_count(2)
    looked("study")


def open_artifact(window: Window, which: Which, step: str, name: str) -> None:
    page = window.go(which.at("artifacts"))
    left = page.locator(".artifacts-steps > li").filter(has=page.get_by_role("heading", name=step, exact=True))
    left.get_by_role("link", name=name).click()
    expect(page.locator(".artifact-name")).to_contain_text(f"{step}.{name}")


def artifacts(window: Window, which: Which, looked: Looked) -> None:
    """A table, a report in its frame, a directory, a download."""
    page = window.page
    open_artifact(window, which, "prep", "train")
    expect(page.locator(".artifact-table tbody tr").first).to_be_visible()
    expect(page.locator(".artifact-column")).to_have_count(5)
    looked("artifacts")
    open_artifact(window, which, "evaluate", "report")
    expect(page.frame_locator("iframe").get_by_role("heading").first).to_be_visible()
    looked("report")
    open_artifact(window, which, "train", "model")
    expect(page.locator(".tree-file").first).to_be_visible()
    with page.expect_download() as saving:
        page.get_by_role("link", name="Download").click()
    assert saving.value.path().stat().st_size > 0


def lineage(window: Window, which: Which, looked: Looked) -> None:
    page = window.page
    open_artifact(window, which, "train", "model")
    page.get_by_role("link", name="Lineage").last.click()
    chosen = page.locator(".lineage-node[aria-pressed=true]")
    expect(chosen).to_contain_text("train.model")
    expect(page.locator(".lineage-node").filter(has_text="prep.train")).to_be_visible()
    looked("lineage")


def compare(window: Window, runs: list[Which], looked: Looked) -> None:
    """Chosen in the list."""
    page = window.go(f"#/runs?namespace={runs[0].namespace}")
    for which in runs:
        _row(window, which).get_by_role("checkbox").check()
    looked("runs")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("group", name="Parameters").get_by_role("rowheader", name="depth")).to_be_visible()
    expect(page.locator("figure.chart svg").first).to_be_visible()
    looked("compare")


def promote(window: Window, first: Which, second: Which, looked: Looked) -> None:
    """The model of the one, then of the other, and back."""
    page = window.page
    for which in (first, second):
        open_artifact(window, which, "train", "model")
        page.get_by_role("button", name="Promote").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("combobox", name="Name Of the model").fill("walked")
        expect(dialog).to_contain_text("walked@champion means")
        dialog.get_by_label("Reason").fill(f"what {which.run} has left")
        dialog.get_by_role("button", name="Promote", exact=True).click()
        expect(page.get_by_role("heading", name="walked", exact=True)).to_be_visible()
    moves = page.locator(".models-moves li")
    expect(moves).to_have_count(2)
    page.get_by_role("button", name="Roll back to 1").click()
    dialog.get_by_label("Reason").fill("the first was better")
    dialog.get_by_role("button", name="Roll back", exact=True).click()
    expect(moves.first).to_contain_text("rolled back")
    expect(page.locator(".models-version").filter(has_text="champion")).to_contain_text("Version 1")
    looked("model")


def delete(window: Window, which: Which) -> None:
    page = window.go(which.at("run"))
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the run").click()
    page.wait_for_url(re.compile("#/runs"))
    expect(_row(window, which)).to_have_count(0)


def _row(window: Window, which: Which) -> Locator:
    return window.page.locator(f'tr[data-key="{which.namespace}/{which.run}"]')


def views(window: Window, which: Which, looked: Looked, *, has_pod: bool) -> None:
    """All of a run that has ended, and of what it has left."""
    watch(window, which, looked, has_pod=has_pod)
    study(window, which, looked)
    artifacts(window, which, looked)
    lineage(window, which, looked)


def everything(window: Window, looked: Looked, *, has_pod: bool) -> tuple[Which, Which]:
    """All of it, in an order in which little is waited for. The two runs that are left."""
    first = submit(window, TEXT, looked)
    steered = steer(window, looked, has_pod=has_pod)
    approve(window, first, looked)
    second = submit(window, TEXT.replace("name: walk", "name: walk-flat"), lambda _: None, depth="1")
    views(window, first, looked, has_pod=has_pod)
    approve(window, second, lambda _: None)
    retry(window, first)
    promote(window, first, second, looked)
    delete(window, steered)
    compare(window, [first, second], looked)
    return first, second

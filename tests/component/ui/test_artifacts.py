"""The view of artifacts: every look there is, and what strangers may put into one."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from playwright.sync_api import Frame, expect

from tests.ui.page import PATIENCE, Home, Window, until

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def left(garden: Home) -> dict[str, dict[str, Any]]:
    """The artifacts of `flowers.1` by name, as `mlwf` tells them."""
    out, _ = garden.mlwf("artifacts", "flowers.1", "-o", "json", "--local").communicate(timeout=120)
    return {f"{one['task']}.{one['name']}": one for one in json.loads(out)}


def opened(flowers: Window, name: str) -> None:
    task, _, output = name.rpartition(".")
    page = flowers.go("#/artifacts?namespace=local&run=flowers.1")
    step = page.locator(".artifacts-steps > li").filter(has=page.get_by_role("heading", name=task, exact=True))
    step.get_by_role("link", name=output).click()
    expect(page.locator(".artifact-name")).to_contain_text(name)


def frame_of(flowers: Window) -> Frame:
    """The page of a stranger, once it is there."""
    element = flowers.page.locator("iframe").element_handle()
    frame: Frame | None = until(lambda: element.content_frame())
    assert frame is not None
    frame.wait_for_load_state()
    return frame


def test_artifacts_are_listed_by_step_and_found(flowers: Window, left: dict[str, dict[str, Any]]) -> None:
    page = flowers.go("#/artifacts?namespace=local&run=flowers.1")
    links = page.locator(".artifact-link")
    expect(links).to_have_count(len(left))
    page.get_by_placeholder("Step or name").fill("tune-report")
    expect(links).to_have_count(sum(name.startswith("tune-report.") for name in left))
    page.get_by_placeholder("Step or name").fill("no such thing")
    flowers.sees("Nothing fits")


def test_a_table_tells_its_columns(flowers: Window) -> None:
    opened(flowers, "draw.table")
    page = flowers.page
    flowers.sees("250 rows, 3 columns, csv")
    heads = page.locator(".artifact-column")
    expect(heads).to_have_count(3)
    expect(heads.nth(0)).to_contain_text("7 values")
    expect(heads.nth(1)).to_contain_text("10 % missing")
    expect(heads.nth(1).locator("svg g")).to_have_count(20)
    expect(heads.nth(2)).to_contain_text("<b>bold</b>")
    before = page.locator(".artifact-table tbody tr").count()
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".artifact-table tbody tr")).to_have_count(2 * before)
    expect(page.locator(".artifact-table tbody tr").nth(before).locator("th")).to_have_text(str(before))


def test_a_picture_is_shown(flowers: Window) -> None:
    opened(flowers, "draw.picture")
    picture = flowers.page.locator(".artifact-picture img")
    expect(picture).to_be_visible()
    assert until(lambda: picture.evaluate("one => one.complete && one.naturalWidth")) == 120


def test_json_is_opened_level_by_level(flowers: Window) -> None:
    opened(flowers, "draw.facts")
    tree = flowers.page.locator(".json")
    expect(tree.get_by_text("</script><script>alert(1)</script>")).to_be_visible()
    expect(tree.get_by_text("true")).to_be_visible()
    tree.get_by_text("list").click()
    expect(tree.get_by_role("button", name="50 more")).to_be_visible()
    tree.get_by_role("button", name="50 more").click()
    expect(tree.locator(".json-number").filter(has_text="149")).to_be_visible()


def test_text_has_its_line_numbers_and_comes_in_pieces(flowers: Window) -> None:
    opened(flowers, "draw.notes")
    lines = flowers.page.locator(".artifact-line")
    expect(lines.nth(9)).to_have_text("line 10: <b>as it is</b>")
    expect(lines.nth(9)).to_have_attribute("data-line", "10")
    more = flowers.page.get_by_role("button", name="Show more")
    while lines.count() < 1500:
        known = lines.count()
        more.click()
        expect(lines.nth(known)).to_have_text(f"line {known + 1}: <b>as it is</b>")
    expect(lines.nth(1499)).to_have_attribute("data-line", "1500")
    expect(more).to_have_count(0)


def test_a_directory_is_a_tree_whose_members_have_previews(flowers: Window) -> None:
    opened(flowers, "draw.folder")
    page = flowers.page
    names = page.locator(".tree-file bdi")
    expect(names).to_have_text(
        ["data.json", "<img src=x onerror=alert(1)>.txt", "__proto__", "page.html", "⟨U+202E⟩fdp.exe"]
    )
    page.get_by_role("link", name="data.json").click()
    expect(page.locator(".json")).to_contain_text("inside")
    page.get_by_role("link", name="draw.folder").click()
    page.get_by_role("link", name="<img src=x").click()
    expect(page.locator(".artifact-line").first).to_have_text("<script>alert(1)</script>")
    expect(page.locator(".artifact-name")).to_contain_text("<img src=x onerror=alert(1)>.txt")


def test_what_cannot_be_shown_says_so_and_shows_its_bytes(flowers: Window) -> None:
    opened(flowers, "draw.blob")
    flowers.sees("No preview")
    flowers.page.get_by_role("button", name="Its first bytes").click()
    expect(flowers.page.locator(".artifact-bytes")).to_contain_text("00 01 02 03")


@pytest.mark.parametrize("member", ["", "page.html"])
def test_the_page_of_a_stranger_reaches_nothing(flowers: Window, member: str) -> None:
    """Its scripts run: they tell themselves what they were refused. Then the same from the outside, with all that a script may try."""
    opened(flowers, "draw.folder" if member else "draw.page")
    page = flowers.page
    if member:
        page.get_by_role("link", name=member).click()
    inside = page.locator("iframe")
    expect(inside).to_have_attribute("sandbox", "allow-scripts")
    frame = frame_of(flowers)
    for name in ("cookie", "storage", "parent", "top", "api"):
        expect(frame.locator(f"[data-{name}]")).to_contain_text("refused")
    origin = page.evaluate("location.origin")
    assert not frame.url.startswith(origin)
    assert frame.evaluate("self.origin") == "null"
    asked = """async url => { try { const said = await fetch(url, {method: "POST", mode: "no-cors", credentials: "include", headers: {"Content-Type": "text/plain"}, body: "{}"}); return said.type + said.status } catch (error) { return error.name } }"""
    assert frame.evaluate(asked, f"{origin}/api/v1/run/delete") == "TypeError"
    assert (
        frame.evaluate(
            "() => { try { top.location = 'about:blank'; return 'went' } catch (error) { return error.name } }"
        )
        == "SecurityError"
    )
    assert frame.evaluate("() => open('about:blank')") is None
    assert page.url.startswith(origin)
    flowers.complaints.clear()  # the browser says in the console what it has refused


def test_a_report_of_ours_is_shown_without_a_complaint(flowers: Window) -> None:
    opened(flowers, "tune-report.report")
    frame = frame_of(flowers)
    expect(frame.get_by_role("heading", name="flowers / tune")).to_be_visible()
    flowers.page.get_by_role("button", name="Whole window").click()
    expect(flowers.page.locator(".artifact-frame.is-wide")).to_be_visible()
    flowers.page.keyboard.press("Escape")
    expect(flowers.page.locator(".artifact-frame.is-wide")).to_have_count(0)


def test_what_is_downloaded_is_what_was_left(flowers: Window, left: dict[str, dict[str, Any]]) -> None:
    opened(flowers, "draw.notes")
    with flowers.page.expect_download() as saving:
        flowers.page.get_by_role("link", name="Download").click()
    content = saving.value.path().read_bytes()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == left["draw.notes"]["digest"]


def test_looks(flowers: Window) -> None:
    opened(flowers, "prep.train")
    expect(flowers.page.locator(".artifact-table tbody tr").first).to_be_visible()
    flowers.pictures("artifacts")
    assert flowers.axe() == []
    opened(flowers, "draw.folder")
    flowers.page.emulate_media(color_scheme="dark")
    expect(flowers.page.locator(".tree-file").first).to_be_visible()
    assert flowers.axe() == []

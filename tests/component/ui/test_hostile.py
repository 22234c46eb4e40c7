"""What others have written is shown as it is written, and does nothing."""

from __future__ import annotations

import re

from tests.ui.page import Window

PLACES = [
    "#/runs",
    "#/runs?text=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
    "#/run?namespace=local&run=hostile.1",
    "#/run?namespace=local&run=hostile.1&task=say",
    "#/run?namespace=local&run=hostile.1&task=say&part=log",
    "#/run?namespace=local&run=hostile.1&tab=steps",
    "#/run?namespace=local&run=hostile.1&tab=spec",
    "#/run?namespace=local&run=bad.1&task=train",
    "#/run?namespace=local&run=asks.1&task=agree",
    "#/run?namespace=%3Cscript%3Ealert(1)%3C%2Fscript%3E&run=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
]


def test_words_of_others_do_nothing(at: Window) -> None:
    page = at.page
    for place in PLACES:
        at.go(place)
        page.locator("h1, .state").first.wait_for()
        page.wait_for_timeout(300)  # what would be drawn, asked for or run has its time
        assert page.locator("main script, main img, .words img").count() == 0, place
        assert "\u202e" not in page.locator("body").inner_text(), (
            "a mark that turns the text around is shown as what it is"
        )
    at.complaints[:] = [
        said for said in at.complaints if not re.search(r"status of 40[034]", said)
    ]  # the last is no run


def test_the_message_is_readable(at: Window) -> None:
    at.go("#/run?namespace=local&run=bad.1&task=train")
    at.sees("<script>alert(2)</script>⟨U+202E⟩", within=".panel")

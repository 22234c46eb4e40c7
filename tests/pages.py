"""What holds for every report: one file, nothing from outside, nothing injected."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser


class Reader(HTMLParser):
    """Collects elements and attributes, and checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def no_network(page: str) -> None:
    """A page asks nothing of any server, and its policy allows its own style sheet alone."""
    reader = Reader()
    reader.feed(page)
    assert not reader.open
    assert {"script", "img", "link", "iframe", "b>"}.isdisjoint(tag for tag, _ in reader.found)
    attributes = {name for _, attrs in reader.found for name in attrs}
    assert {"href", "src", "style", "onload", "onclick"}.isdisjoint(attributes)
    assert not re.search(r"https?://", page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page

"""What a file is, by its beginning: names of outputs have no endings. Pure."""

from __future__ import annotations

import csv
from typing import Literal

Kind = Literal["parquet", "arrow", "csv", "image", "html", "svg", "json", "text", "binary"]
HEAD = 1 << 16
"""Bytes that are looked at."""
_MAGIC = ((b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"FEA1", "arrow"))
_IMAGES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_LANGUAGES = {
    ".yaml": "yaml", ".yml": "yaml", ".md": "markdown", ".py": "python", ".csv": "csv", ".json": "json", ".toml": "toml",
    ".sh": "shell", ".sql": "sql", ".xml": "xml", ".js": "javascript", ".html": "html", ".r": "r",
}  # fmt: skip
DELIMITERS = ",;\t|"


def kind_of(head: bytes, name: str) -> Kind:
    """`head` are the first HEAD bytes, or all."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind  # type: ignore[return-value]
    if media_type_of(head):
        return "image"
    text = text_of(head)
    if text is None:
        return "binary"
    start = text.lstrip("\ufeff \t\r\n")[:1024].lower()
    if start.startswith(("<!doctype html", "<html")):
        return "html"
    if "<svg" in start and start.startswith(("<svg", "<?xml", "<!--", "<!doctype svg")):
        return "svg"
    if name.lower().endswith(".csv") or (start[:1] not in ("{", "[") and delimiter_of(text)):
        return "csv"
    return "json" if start[:1] in ("{", "[") else "text"


def media_type_of(head: bytes) -> str:
    """Of an image that a browser shows without running anything in it; else nothing."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((media for magic, media in _IMAGES if head.startswith(magic)), "")


def text_of(head: bytes) -> str | None:
    """As text; the last character may be cut. None for what is none."""
    if b"\0" in head:
        return None
    for cut in range(4):
        try:
            return head[: len(head) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
    return None


def language_of(name: str) -> str:
    return next((language for suffix, language in _LANGUAGES.items() if name.lower().endswith(suffix)), "")


def delimiter_of(text: str) -> str:
    """What parts the columns, where every one of the first lines has as many of them, and more than one; else nothing."""
    lines = [line for line in text.splitlines()[:20] if line]
    lines = lines[:-1] if len(lines) > 2 else lines  # which may be cut
    if len(lines) < 2:
        return ""
    for delimiter in DELIMITERS:
        widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
        if (
            len(widths) == 1
            and widths.pop() > 1
            and all(cell.strip() for cell in next(csv.reader(lines, delimiter=delimiter)))
        ):
            return delimiter
    return ""

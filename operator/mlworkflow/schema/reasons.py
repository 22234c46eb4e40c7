"""The table of reasons in docs/troubleshooting.md, which is the one source of them, as JSON for `mlwf explain`."""

from __future__ import annotations

import json
import re

_ROW = re.compile(r"^\| (?P<names>`\w+`.*?) \| (?P<meaning>.*?) \| (?P<remedy>.*?) \|$", re.MULTILINE)
_NAME = re.compile(r"`(\w+)`")


def reasons(page: str) -> str:
    """Each row of the table as ``{"names", "of", "meaning", "remedy"}``; `of` is what the names are followed by: ``of a trial``."""
    rows = []
    for row in _ROW.finditer(page):
        _, _, of = row["names"].partition("(")
        names = _NAME.findall(row["names"].partition("(")[0])
        rows.append({"names": names, "of": of.rstrip(")"), "meaning": row["meaning"], "remedy": row["remedy"]})
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"

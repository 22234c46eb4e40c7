#!/usr/bin/env python3
"""Copies the comments of the chart's values.yaml into README.md's tables and the descriptions of values.schema.json.

values.yaml is the one source: a comment right above a value documents it, a line that begins with `##` opens a section.
`chart_docs.py` writes both files, `chart_docs.py --check` only says whether they are current (exit code 1 if not).
A value without documentation, or one that the schema does not know, is an error. tests/cluster/chart runs the check.
"""

import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parent.parent / "charts" / "mlworkflow"
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9]*):")


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """One documented value: `path` is the keys that lead to it, `default` what values.yaml says."""

    path: tuple[str, ...]
    default: Any
    text: str
    section: str

    @property
    def name(self) -> str:
        return ".".join(self.path)


def documented(text: str) -> Iterator[Value]:
    """The values in the order of the file. What is below a documented value is its default, not a value."""
    defaults = yaml.safe_load(text)
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    section = ""
    inside: int | None = None  # the indentation of the documented value we are inside of
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("## "):
            section, comment = bare[3:], []
        elif bare.startswith("#"):
            comment.append(bare[1:].strip())
        elif not bare:
            comment = []
        elif found := _KEY.match(line):
            indent = len(found["indent"])
            if inside is not None and indent > inside:
                continue
            path = [*((depth, key) for depth, key in path if depth < indent), (indent, found["key"])]
            keys = tuple(key for _, key in path)
            default = defaults
            for key in keys:
                default = default[key]
            inside = indent if comment else None
            if comment:
                yield Value(keys, default, " ".join(comment), section)
            elif not isinstance(default, dict):
                raise SystemExit(f"values.yaml: {'.'.join(keys)} has no documentation")
            comment = []


def tables(values: list[Value]) -> str:
    lines: list[str] = []
    for section in dict.fromkeys(value.section for value in values):
        lines += [f"### {section}", "", "| value | what it says | default |", "|---|---|---|"]
        for value in (value for value in values if value.section == section):
            lines.append(f"| `{value.name}` | {value.text} | `{json.dumps(value.default)}` |")
        lines.append("")
    return "\n".join(lines)


def readme(text: str, values: list[Value]) -> str:
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n\n{tables(values)}\n{END}{rest.split(END)[1]}"


def schema(text: str, values: list[Value]) -> str:
    root = json.loads(text)
    for value in values:
        node = root
        for key in value.path:
            if key not in node.get("properties", {}):
                raise SystemExit(f"values.schema.json does not know {value.name}")
            node = node["properties"][key]
        node["description"] = value.text
    return json.dumps(root, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    values = list(documented((CHART / "values.yaml").read_text()))
    stale = []
    for name, render in (("README.md", readme), ("values.schema.json", schema)):
        path = CHART / name
        old = path.read_text()
        new = render(old, values)
        if new != old:
            stale.append(name)
            if "--check" not in sys.argv[1:]:
                path.write_text(new)
    if stale and "--check" in sys.argv[1:]:
        print(f"not current: {', '.join(stale)}; run python tools/chart_docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

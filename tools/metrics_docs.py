#!/usr/bin/env python3
"""Copies the definitions of the operator's metrics into the table of docs/operations.md. `metrics_docs.py --check` only says whether it is current (exit code 1)."""

import sys
from pathlib import Path

from mlworkflow.metrics.definitions import DEFINITIONS, PROCESS, Definition

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operations.md"
BEGIN, END = "<!-- metrics: begin -->", "<!-- metrics: end -->"


def row(metric: Definition) -> str:
    name = metric.name + ("_total" if metric.kind == "counter" else "")
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{name}` | {metric.kind} | {labels} | {metric.help} |"


def page(text: str) -> str:
    head, rest = text.split(BEGIN)
    lines = ["| metric | type | labels | what it says |", "|---|---|---|---|", *map(row, DEFINITIONS)]
    process = ", ".join(f"`{name}`" for name in PROCESS)
    table = "\n".join([*lines, f"| {process} | | | the process, as every Prometheus client tells it |"])
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}"


def main() -> int:
    old = PAGE.read_text()
    new = page(old)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(new)
    elif new != old:
        print("not current: docs/operations.md; run python tools/metrics_docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

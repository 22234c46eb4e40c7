"""``python -m tests.perf``: the budget of the design, measured, as one table and as ``build/perf.json``. Exits with 1 where any of it is missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.perf import artifacts, begins, local, node, replicas, simulated, starts
from tests.perf.table import Line, documented, report

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/performance.md"
PARTS: dict[str, Callable[[Sequence[str]], list[Line]]] = {
    "node": node.main,
    "simulated": simulated.main,
    "replicas": lambda _: replicas.main(),
    "local": lambda _: local.lines(),
    "starts": lambda _: starts.lines(),
    "begins": begins.main,
    "artifacts": lambda _: artifacts.main([]),
}


def main() -> int:
    """The exit code."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[2].strip())
    options.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all if none is named")
    options.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="TEXT",
        help="of node, begins and simulated, the cases whose names hold it",
    )
    options.add_argument("--document", action="store_true", help="write the table into docs/performance.md too")
    given = options.parse_args()
    chosen = given.parts or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        options.error(f"there is no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    found: list[Line] = []
    for name in chosen:
        print(name, flush=True)
        found += PARTS[name](given.only)
    if given.document:
        PAGE.write_text(documented(found, PAGE.read_text()))
    return 0 if report(found, ROOT / "build/perf.json", parts=chosen) else 1


if __name__ == "__main__":
    sys.exit(main())

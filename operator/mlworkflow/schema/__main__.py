"""``python -m mlworkflow.schema [--check]``: write the generated files, or say which are not current."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlworkflow.schema.files import CHECKOUT, stale, write


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mlworkflow.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and name the files that differ")
    parser.add_argument("--root", type=Path, default=CHECKOUT, help="the checkout (default: the one this module is in)")
    options = parser.parse_args()
    if not options.check:
        for path in write(options.root):
            print(f"wrote {path}")
        return 0
    different = stale(options.root)
    for path in different:
        print(f"{path} is not current: run `make crds`", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())

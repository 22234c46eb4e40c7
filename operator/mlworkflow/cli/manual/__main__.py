"""``python -m mlworkflow.cli.manual [--check]``: write the pages of the documentation, or say which are not current."""

from __future__ import annotations

import sys

from mlworkflow.cli.manual.files import CHECKOUT, stale


def main() -> int:
    different = stale(CHECKOUT)
    if sys.argv[1:] == ["--check"]:
        for path in different:
            print(f"{path} is not current: run `make crds`", file=sys.stderr)
        return 1 if different else 0
    for path, text in different.items():
        (CHECKOUT / path).write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python3 tests/node COMMAND`: starts the command line in `cli.py`, which Python cannot run as part of a package."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from node.cli import main  # noqa: E402  (found only now)

sys.exit(main())

"""`python3 tests/kind up|down`: starts `cli.py`, which Python cannot run as part of a package."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from kind.cli import main  # noqa: E402  (found only now)

sys.exit(main())

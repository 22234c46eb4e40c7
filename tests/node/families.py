"""The programs of a node, one Go module per family, because their dependency graphs do not agree.

Each family is built once into a folder named by the digest of everything that shapes it (module files, sources,
flags), beside the others, so that a change in one family rebuilds that one. Invariant: a family's folder is complete
or absent. It is built under a temporary name and renamed.
"""

import dataclasses
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from . import prerequisites, pypi
from .constants import CACHE, KUBERNETES_VERSION, MINIO_RELEASE, MODULES
from .errors import NodeError
from .shell import locked, run, say

_MAJOR, _MINOR, _ = KUBERNETES_VERSION.split(".")
_KUBERNETES_STAMP = " ".join(
    f"-X k8s.io/component-base/version.git{name}={value}"
    for name, value in {"Version": f"v{KUBERNETES_VERSION}", "Major": _MAJOR, "Minor": _MINOR}.items()
)
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CONTAINERD_PROGRAMS = ("containerd", "ctr", "containerd-shim-runc-v2")


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """How one module becomes programs: `programs` maps a file name to the Go package it is built from."""

    name: str
    programs: dict[str, str]
    links: tuple[str, ...] = ()  # further names of the one program
    stamp: str = ""
    tags: str = ""
    cgo: bool = False

    @property
    def digest(self) -> str:
        digest = hashlib.sha256(repr(self).encode())
        for path in sorted((MODULES / self.name).iterdir()):
            if path.name in ("go.mod", "go.sum") or path.suffix == ".go":
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    @property
    def folder(self) -> Path:
        return CACHE / f"{self.name}-{self.digest}"

    def is_built(self) -> bool:
        return self.folder.is_dir()


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "kubernetes",
            {"kubernode": "."},
            stamp=_KUBERNETES_STAMP,
            links=("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"),
        ),
        Family("containerd", {name: f"{_CONTAINERD}/{name}" for name in _CONTAINERD_PROGRAMS}),
        Family("runc", {"runc": "github.com/opencontainers/runc"}, tags="seccomp", cgo=True),
        Family("coredns", {"coredns": "github.com/coredns/coredns"}),
        Family("pause", {"pause": "."}),
        Family("registry", {"registry": "."}),
        Family("kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}),
        Family("kube-router", {"kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"}),
        Family("helm", {"helm": "helm.sh/helm/v4/cmd/helm"}),
        Family("helm3", {"helm3": "helm.sh/helm/v3/cmd/helm"}),
        Family(
            "minio",
            {"minio": "github.com/minio/minio"},
            stamp=f"-X github.com/minio/minio/cmd.ReleaseTag={MINIO_RELEASE}",
        ),
    )
}
NODE_FAMILIES = ("pause", "runc", "containerd", "coredns", "kubernetes")


def build(names: Iterable[str] = ()) -> None:
    """Build the named families (all of them when none is named) that are not built yet, one after another."""
    wanted = [FAMILIES[name] for name in names or FAMILIES]
    missing = [family for family in wanted if not family.is_built()]
    if missing:
        prerequisites.need_go()
    for family in missing:
        if family.cgo:
            prerequisites.need_packages(prerequisites.RUNC)
        with locked(CACHE / f"{family.name}.lock", f"building {family.name}"):
            if not family.is_built():
                _build(family)
    for family in wanted:
        for name in (*family.programs, *family.links):
            _link(name, family.folder / name)


def program(name: str) -> Path:
    """The path of a program, built or fetched now if it is not there yet."""
    if name in pypi.PROGRAMS:
        return _link(name, pypi.program(name))
    for family in FAMILIES.values():
        if name in family.programs or name in family.links:
            build([family.name])
            return family.folder / name
    raise NodeError(f"no family has a program {name!r}")


def search_path() -> str:
    """A PATH with the node's own programs first."""
    return f"{CACHE / 'bin'}:{os.environ.get('PATH', os.defpath)}"


def _build(family: Family) -> None:
    say(f"building {family.name} (once; minutes, not seconds, on a small machine)")
    started = time.monotonic()
    for left in CACHE.glob(f".{family.name}-*"):  # an interrupted build; we hold its lock
        shutil.rmtree(left)
    target = Path(tempfile.mkdtemp(prefix=f".{family.name}-", dir=CACHE))
    # A fixed environment: flags from the user's shell must not shape, or break, a build that is cached by digest.
    settings = {"CGO_ENABLED": str(int(family.cgo)), "GOFLAGS": "-buildvcs=false -trimpath", "GOWORK": "off"}
    environment = {**os.environ, **settings}
    for name, package in family.programs.items():
        flags = ("-tags", family.tags, "-ldflags", f"-s -w {family.stamp}".strip(), "-o", target / name)
        run("go", "build", *flags, package, cwd=MODULES / family.name, env=environment)
    for link in family.links:
        (target / link).symlink_to(next(iter(family.programs)))
    target.chmod(0o755)
    target.rename(family.folder)
    say(f"built {family.name} in {time.monotonic() - started:.0f} s")


def _link(name: str, target: Path) -> Path:
    """Keep `bin/<name>` pointing at the current build, for people's PATH and for the processes we start."""
    link = CACHE / "bin" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() or link.readlink() != target:
        fresh = link.with_name(f".{name}.{os.getpid()}")
        fresh.symlink_to(target)
        fresh.rename(link)
    return target

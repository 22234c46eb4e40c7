"""The images of the node: which there are, whether each is current, and loading them into containerd.

An image is identified by a digest of all that goes into it, so an unchanged one is neither built nor loaded again.
What is loaded is recorded in the state folder, beside containerd's own, and dies with it.
"""

import dataclasses
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import bases, builder, oci_archive, prerequisites
from .components import ctr
from .constants import CACHE, IMAGE_PREFIX, REPOSITORY, ROOT, version
from .errors import NodeError
from .shell import locked, run, say

_CONTEXT = ("pyproject.toml", "README.md", "operator", "steps")  # what our Dockerfiles copy
_LOADED = ROOT / "loaded"
_KEEP = 3  # archives of one image, for checkouts that share a cache


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """One of our own images: `target` is a stage of the Dockerfile, empty for the last."""

    name: str
    dockerfile: str
    target: str = ""

    @property
    def tag(self) -> str:
        return f"{IMAGE_PREFIX}/{self.name}:{version()}"

    @property
    def digest(self) -> str:
        digest = hashlib.sha256(f"{self}\0{self.tag}\0{bases.BASES['python'].digest}".encode())
        for path in _sources():
            digest.update(str(path.relative_to(REPOSITORY)).encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:16]

    def archive(self) -> Path:
        path = CACHE / "images" / f"{self.name}-{self.digest}.tar"
        if not path.exists():
            prerequisites.need_packages(prerequisites.IMAGES)
            path.parent.mkdir(parents=True, exist_ok=True)
            with locked(CACHE / "builder.lock", "building images"):
                if not path.exists():
                    builder.build(self.tag, REPOSITORY / self.dockerfile, self.target, path)
                    _prune(self.name)
        os.utime(path)
        return path


OWN = {
    image.name: image
    for image in (
        Image("operator", "operator/Dockerfile"),
        Image("agent", "steps/Dockerfile", "agent"),
        Image("steps", "steps/Dockerfile", "steps"),
    )
}


def names() -> list[str]:
    return [*bases.BASES, *(OWN if (REPOSITORY / "pyproject.toml").exists() else ())]


def archive(name: str) -> Path:
    """The docker archive of an image by its short name (`python`, `operator`, …), made now where it is not current."""
    return _find(name).archive()


def tag(name: str) -> str:
    """The full name of an image, by its short one."""
    return _find(name).tag


def ensure(wanted: Iterable[str]) -> None:
    """Make the named images current and have them in the running node."""
    for name in wanted:
        load(archive(name))


def load(path: Path) -> None:
    """Load a docker archive into the node, unless this very file is loaded already."""
    if not _LOADED.parent.exists():
        raise NodeError("the node is not up: python3 tests/node up")
    about = path.stat()
    marker = _LOADED / path.name
    stamp = f"{about.st_size} {about.st_ino}"
    with locked(CACHE / "load.lock", "loading images"):
        if marker.exists() and marker.read_text() == stamp:
            return
        say(f"loading {path.name}")
        _import(path)
        _LOADED.mkdir(exist_ok=True)
        for other in _LOADED.glob(f"{path.name.rpartition('-')[0]}-*"):  # a tag names one of them: the last loaded
            other.unlink()
        marker.write_text(stamp)


def _find(name: str) -> Image | bases.Base:
    found = bases.BASES.get(name) or OWN.get(name)
    if found is None:
        raise NodeError(f"no image {name!r}: one of {', '.join([*bases.BASES, *OWN])}")
    return found


def _import(path: Path) -> None:
    known = set(run(*ctr("content", "ls", "-q")).split())
    done = _imported(path, known)
    if (
        done.returncode
    ):  # what was known may have been collected in between: the image that it was of has just lost its tag
        done = _imported(path, set())
    if done.returncode:
        raise NodeError(f"loading {path}: {done.stderr.strip()}")


def _imported(path: Path, known: set[str]) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile() as file:
        oci_archive.write(file, path, known=known)
        file.seek(0)
        return subprocess.run(ctr("images", "import", "--local", "-"), stdin=file, capture_output=True, text=True)


def _sources() -> Iterator[Path]:
    for name in _CONTEXT:
        path = REPOSITORY / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def _prune(name: str) -> None:
    archives = sorted((CACHE / "images").glob(f"{name}-*.tar"), key=lambda path: path.stat().st_mtime)
    for path in archives[:-_KEEP]:
        path.unlink(missing_ok=True)

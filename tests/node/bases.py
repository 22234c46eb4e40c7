"""Stand-ins for the public base images, for machines that reach no container registry: same names, same contract.

Each is made from Debian packages or from programs that we build, as a docker archive in the cache, once per recipe.
What images and charts rely on in the published image holds here too: paths, entry points, commands, environment.
"""

import contextlib
import dataclasses
import hashlib
import inspect
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from . import docker_archive, families, mounts, prerequisites
from .constants import BUSYBOX_IMAGE, CACHE, MINIO_IMAGE, PYTHON_IMAGE, SEAWEEDFS_IMAGE
from .shell import locked, run, say

_PATH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEBIAN = "bookworm"  # its Python is 3.11


@dataclasses.dataclass(frozen=True, slots=True)
class Base:
    """A public image name and the recipe for its stand-in: `fill` lays the files out below an empty folder."""

    tag: str
    fill: Callable[[Path], None]
    config: dict[str, object]
    programs: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        programs = [families.program(name).parent.name for name in self.programs]
        recipe = [inspect.getsource(self.fill), repr(self.config), self.tag, *programs]
        if self.fill is not _fill_python:
            recipe.append(inspect.getsource(_fill_busybox))
        return hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:16]

    def archive(self) -> Path:
        """The path of the docker archive, made now if the recipe is new."""
        name = self.tag.rpartition("/")[2].replace(":", "_")
        path = CACHE / "images" / f"{name}-{self.digest}.tar"
        if path.exists():
            return path
        prerequisites.need_packages(prerequisites.IMAGES)
        with locked(CACHE / "bases.lock", "making base images"), _scratch() as scratch:
            if not path.exists():
                say(f"making {self.tag}")
                root, layer = scratch / "root", scratch / "layer.tar"
                root.mkdir()
                self.fill(root)
                run("tar", "-C", root, "--numeric-owner", "--sort=name", "-cf", layer, ".")
                docker_archive.write(path, self.tag, layer, self.config)
        return path


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """A folder that is gone afterwards, with whatever an interrupted debootstrap left mounted in it."""
    (CACHE / "images").mkdir(parents=True, exist_ok=True)
    for left in CACHE.glob(".base-*"):
        mounts.remove(left)
    folder = Path(tempfile.mkdtemp(prefix=".base-", dir=CACHE))
    try:
        yield folder
    finally:
        mounts.remove(folder)


def _fill_python(root: Path) -> None:
    packages = "python3-minimal,python3-venv,python3-pip,ca-certificates"
    run("debootstrap", "--variant=minbase", f"--include={packages}", _DEBIAN, root)
    (root / "usr/bin/python").symlink_to("python3")
    for name in ("python", "python3", "pip", "pip3"):  # where the published image has them
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{name}")
    next(root.glob("usr/lib/python3.*/EXTERNALLY-MANAGED")).unlink()  # pip installs into the image, as there
    emptied = "var/lib/apt/lists var/cache/apt var/cache/debconf var/log usr/share/doc usr/share/man usr/share/locale"
    for folder in (*emptied.split(), "usr/share/info"):
        shutil.rmtree(root / folder)
        (root / folder).mkdir()
    for folder in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (root / folder).mkdir(parents=True)
    (root / "etc/resolv.conf").unlink(missing_ok=True)  # debootstrap copies the machine's
    (root / "etc/hostname").unlink(missing_ok=True)


def _fill_busybox(root: Path) -> None:
    for folder in ("bin", "etc", "root", "tmp", "usr/bin", "usr/sbin", "sbin", "var", "home", "data"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "data").chmod(0o777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    shutil.copy2("/bin/busybox", root / "bin/busybox")
    for applet in run("/bin/busybox", "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).hardlink_to(root / "bin/busybox")


def _fill_minio(root: Path) -> None:
    _fill_busybox(root)
    shutil.copy2(families.program("minio"), root / "usr/bin/minio")
    entry = root / "usr/bin/docker-entrypoint.sh"
    entry.write_text('#!/bin/sh\n[ "$1" = minio ] || set -- minio "$@"\nexec "$@"\n')
    entry.chmod(0o755)


def _fill_seaweedfs(root: Path) -> None:
    _fill_busybox(root)
    shutil.copy2(families.program("weed"), root / "usr/bin/weed")
    entry = root / "entrypoint.sh"
    entry.write_text(
        '#!/bin/sh\ncase "$1 $*" in\n'
        'server*-dir*) exec /usr/bin/weed -logtostderr=true "$@" -volume.max=0 -master.volumeSizeLimitMB=1024 ;;\n'
        'server*) exec /usr/bin/weed -logtostderr=true "$@" -dir=/data -volume.max=0 -master.volumeSizeLimitMB=1024 ;;\n'
        '*) exec /usr/bin/weed "$@" ;;\nesac\n'
    )
    entry.chmod(0o755)


BASES = {
    "python": Base(PYTHON_IMAGE, _fill_python, {"Env": [_PATH, "LANG=C.UTF-8"], "Cmd": ["python3"]}),
    "busybox": Base(BUSYBOX_IMAGE, _fill_busybox, {"Env": [_PATH], "Cmd": ["sh"]}),
    "minio": Base(
        MINIO_IMAGE,
        _fill_minio,
        {"Env": [_PATH], "Entrypoint": ["/usr/bin/docker-entrypoint.sh"], "Cmd": ["minio"]},
        programs=("minio",),
    ),
    "seaweedfs": Base(
        SEAWEEDFS_IMAGE,
        _fill_seaweedfs,
        {"Env": [_PATH], "Entrypoint": ["/entrypoint.sh"], "WorkingDir": "/data"},
        programs=("weed",),
    ),
}

"""Building our Dockerfiles with buildah, in a store of its own inside the cache.

The context is the repository; `.dockerignore` keeps it small. pip inside a build reaches its index through
the host's network and trusts the host's certificates, which are mounted, not copied: nothing of the host's
configuration gets into an image.
"""

from pathlib import Path

from . import mounts
from .bases import BASES
from .constants import CACHE, REPOSITORY
from .errors import NodeError
from .shell import run, say

_STORE = CACHE / "buildah"
_MOST_IMAGES = 400  # layers of past builds pile up; beyond this the store starts anew


def _buildah(*arguments: object) -> str:
    store = ("--root", _STORE / "root", "--runroot", _STORE / "run", "--storage-driver", "overlay")
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(_STORE),
        "TMPDIR": str(CACHE),
    }
    return run("buildah", *store, *arguments, env=environment)


def _has(tag: str) -> bool:
    try:
        _buildah("inspect", "--type", "image", tag)
    except NodeError:
        return False
    return True


def build(tag: str, dockerfile: Path, target: str, archive: Path) -> None:
    """Build one target of a Dockerfile and write it as a docker archive, whole or not at all."""
    if len(_buildah("images", "-aq").split()) > _MOST_IMAGES:
        mounts.remove(_STORE)
    base = BASES["python"]
    marker = _STORE / f"python-{base.digest}"
    if not (marker.exists() and _has(base.tag)):
        _buildah("pull", "--policy=always", f"docker-archive:{base.archive()}")
        marker.touch()
    say(f"building {tag}")
    wheels = _STORE.parent / "pip"
    wheels.mkdir(exist_ok=True)
    network = ["--isolation", "chroot", "--network", "host", "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"]
    cache = ("--layers", "--volume", f"{wheels}:/root/.cache/pip", "--build-arg", "PIP_NO_CACHE_DIR=")
    what = (*(("--target", target) if target else ()), "--file", dockerfile, "--tag", tag, "--format", "docker")
    _buildah("bud", "--pull-never", *network, *cache, *what, REPOSITORY)
    fresh = archive.with_name(f".{archive.name}")
    fresh.unlink(missing_ok=True)
    _buildah("push", "--quiet", tag, f"docker-archive:{fresh}:{tag}")
    fresh.rename(archive)

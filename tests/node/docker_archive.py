"""Images without an image builder: one layer and its configuration as a docker archive.

`ctr images import`, `docker load`, `buildah pull docker-archive:` and `kind load image-archive` all read the format.
The same input gives the same bytes, so that image ids are stable.
"""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path
from typing import IO, BinaryIO

_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def write(target: Path, tag: str, layer: Path, config: dict[str, object]) -> None:
    """Write an archive of one layer, which is an uncompressed tar file; appears whole or not at all."""
    with open(layer, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    fresh = target.with_name(f".{target.name}")
    with open(fresh, "wb") as output, open(layer, "rb") as file:
        _write(output, tag, digest, file, layer.stat().st_size, config)
    fresh.rename(target)


def of_files(tag: str, files: dict[str, bytes], config: dict[str, object]) -> bytes:
    """An archive, in memory, of a few executables: path -> content."""
    layer, output = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name, data in sorted(files.items()):
            add(tar, name, data, mode=0o755)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    size = layer.tell()
    layer.seek(0)
    _write(output, tag, digest, layer, size, config)
    return output.getvalue()


def _write(output: BinaryIO, tag: str, digest: str, layer: BinaryIO, size: int, config: dict[str, object]) -> None:
    image = json.dumps(
        {
            "architecture": _ARCHITECTURE,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "mlworkflow tests/node"}],
        }
    ).encode()
    name = hashlib.sha256(image).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]}]).encode()
    with tarfile.open(fileobj=output, mode="w") as tar:
        add(tar, name, image)
        add(tar, f"{digest}/layer.tar", layer, size)
        add(tar, "manifest.json", manifest)


def add(
    tar: tarfile.TarFile, name: str, data: bytes | BinaryIO | IO[bytes], size: int = 0, *, mode: int = 0o644
) -> None:
    """Add one file; `size` is needed for what is not in memory."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = (len(data) if isinstance(data, bytes) else size), mode
    tar.addfile(entry, io.BytesIO(data) if isinstance(data, bytes) else data)

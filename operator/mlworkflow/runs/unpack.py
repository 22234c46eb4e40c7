"""A directory artifact (one deterministic tar, contract section 4) as a directory again, and nothing outside of it."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path


class BadArchive(Exception):
    """A tar that no step's agent would have made."""


def unpack(archive: Path, root: Path) -> None:
    """Make `root`, which must not exist, from a tar.

    The `data` filter of the standard library refuses what leads outside, and links are made last, so that nothing is
    ever written through one. Raises BadArchive, with nothing but `root` touched; what is there then is not to be used.
    """
    root.mkdir()
    modes: list[tuple[Path, int]] = []
    links: list[tuple[Path, str]] = []
    try:
        with tarfile.open(archive, "r:", encoding="utf-8", errors="surrogateescape") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # or memory grows with the number of entries
                path = _place(root, member)
                if member.issym():
                    links.append((path, member.linkname))
                elif member.isdir():
                    path.mkdir(exist_ok=True)
                    modes.append((path, member.mode & 0o777))
                else:
                    tar.extract(member, root, set_attrs=False, filter="fully_trusted")  # `_place` has filtered it
                    path.chmod(member.mode & 0o777)
        for path, target in links:
            path.symlink_to(target)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadArchive(str(error)) from None
    for path, target in links:  # all of them are there now: one may lead through another
        if os.path.isabs(target) or not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
            raise BadArchive(f"the link {path.relative_to(root)} leads outside")
    for path, mode in reversed(modes):
        path.chmod(mode)


def _place(root: Path, member: tarfile.TarInfo) -> Path:
    """Where an entry goes. Raises BadArchive, TarError."""
    if not (member.isreg() or member.isdir() or member.issym()):
        raise BadArchive(f"{member.name!r} is neither a file, a directory nor a symlink")
    if member.name.startswith("/") or ".." in member.name.split("/"):
        raise BadArchive(f"{member.name!r} leads outside")
    tarfile.data_filter(member, str(root))
    return root / member.name

"""The archive of a directory: the same content is the same bytes, and nothing leads outside."""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlworkflow_steps.agent import archive, unarchive

_BYTES = st.binary(min_size=1, max_size=40).filter(
    lambda b: b"/" not in b and b"\0" not in b and b not in (b".", b"..")
)
_NAME = st.one_of(
    _BYTES,
    st.sampled_from([b" ", b"-rf", b"a b", "ünï🙂".encode(), b"x" * 255, b"\xff\xfe", b"new\nline", b"~", b"a.part"]),
)
_MODE = st.sampled_from([0o600, 0o644, 0o755, 0o400, 0o666])
_FILE = st.tuples(st.binary(max_size=2000), _MODE)
_TREE = st.recursive(_FILE, lambda inner: st.dictionaries(_NAME, inner, max_size=4), max_leaves=12)


CUT = 777
"""Bytes come in pieces that mind no header, and are overwritten by the next."""


def packed(root: Path) -> bytes:
    return b"".join(archive.pack(str(root)))


def unpacked(data: bytes, target: Path, *, readable: bool = False) -> Path:
    window = bytearray(CUT)

    def chunks() -> Iterator[memoryview]:
        for at in range(0, len(data), CUT):
            piece = data[at : at + CUT]
            window[: len(piece)] = piece
            yield memoryview(window)[: len(piece)]

    unarchive.unpack(chunks(), str(target), readable=readable)
    return target


def build(path: bytes, tree: Any) -> None:
    if isinstance(tree, dict):
        os.mkdir(path)
        for name, inner in tree.items():
            build(os.path.join(path, name), inner)
        return
    content, mode = tree
    Path(os.fsdecode(path)).write_bytes(content)
    os.chmod(path, mode)


def state(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for where, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(where, name)
            mode = os.lstat(path).st_mode
            content = (
                os.readlink(path) if os.path.islink(path) else Path(path).read_bytes() if os.path.isfile(path) else None
            )
            found[os.path.relpath(path, root)] = (mode, content)
    return found


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_NAME, _TREE, max_size=5))
def test_what_goes_in_comes_out_and_packs_to_the_same_bytes(tree: dict[bytes, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "in"
        build(os.fsencode(root), tree)
        data = packed(root)
        again = unpacked(data, Path(folder) / "out")
        assert state(again) == state(root)
        assert packed(again) == data


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_NAME, _TREE, max_size=5))
def test_the_bytes_are_those_of_the_standard_library(tree: dict[bytes, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "in"
        (root / ("d" * 100)).mkdir(parents=True)
        (root / ("a" * 100)).write_text("a name of 100 bytes")
        (root / "link").symlink_to("x" * 101)
        build(os.fsencode(root / "tree"), tree)
        assert packed(root) == of_tarfile(root)


def of_tarfile(root: Path) -> bytes:
    """What `tarfile` makes of a tree in the same order."""
    paths = sorted((path.relative_to(root) for path in root.rglob("*")), key=os.fsencode)
    parts = []
    for path in map(str, paths):
        full, info = root / path, tarfile.TarInfo(path)
        info.mode = full.lstat().st_mode & 0o777
        content = b""
        if full.is_symlink():
            info.type, info.linkname = tarfile.SYMTYPE, os.readlink(full)
        elif full.is_dir():
            info.type = tarfile.DIRTYPE
        else:
            content = full.read_bytes()
            info.size = len(content)
        header = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        parts.append(header + content + bytes(-len(content) % 512))
    return b"".join(parts) + bytes(1024)


@pytest.mark.parametrize("size", [0, 8**11 - 1, 8**11, 2**40])
def test_the_size_of_a_huge_file_is_written_and_read_as_tar_does(size: int) -> None:
    info = tarfile.TarInfo("huge")
    info.size, info.mode = size, 0o600
    header = archive._header(b"huge", archive.FILE, 0o600, size, b"")
    assert header == info.tobuf(tarfile.GNU_FORMAT)
    assert unarchive._number(header[124:136]) == size


def test_times_owners_and_the_order_of_creation_do_not_matter(tmp_path: Path) -> None:
    for number, names in enumerate((["b", "a-b", "a/x"], ["a/x", "b", "a-b"])):
        for name in names:
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            os.utime(path, (number, number))
    assert packed(tmp_path / "0") == packed(tmp_path / "1")


def test_the_digest_of_a_known_tree_never_changes(tmp_path: Path) -> None:
    root = tmp_path / "d"
    (root / "empty").mkdir(parents=True)
    (root / "file").write_bytes(b"content")
    (root / "zero").touch()
    (root / "link").symlink_to("file")
    (root / ("long" * 40)).write_bytes(b"x")
    for path in (root / "empty",):
        path.chmod(0o755)
    for path in (root / "file", root / "zero", root / ("long" * 40)):
        path.chmod(0o644)
    assert hashlib.sha256(packed(root)).hexdigest() == KNOWN


KNOWN = "1d46d2589cac8ad1641c7e4fe5ab45e27d901436ba0d7dde452161bf87790061"


def test_links_and_hard_links(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    (root / "file").write_bytes(b"data")
    os.link(root / "file", root / "hard")
    (root / "sub/up").symlink_to("../file")
    (root / "nowhere").symlink_to("missing")
    again = unpacked(packed(root), tmp_path / "out")
    assert os.readlink(again / "sub/up") == "../file"
    assert os.readlink(again / "nowhere") == "missing"
    assert (again / "hard").read_bytes() == b"data"
    assert (again / "hard").stat().st_nlink == 1


@pytest.mark.parametrize("target", ["/etc/passwd", "../x", "sub/../../x", "loop/../.."])
def test_a_link_that_leads_outside_is_not_packed(tmp_path: Path, target: str) -> None:
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    (root / "loop").symlink_to(".")
    (root / "link").symlink_to(target)
    with pytest.raises(ValueError, match="leads outside"):
        packed(root)


def test_a_pipe_is_not_packed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="neither a file"):
        packed(tmp_path)


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "entries",
    [
        [entry("/abs")],
        [entry("../up")],
        [entry("a/../../up")],
        [entry("./a")],
        [entry("link", tarfile.SYMTYPE, "/etc")],
        [entry("link", tarfile.SYMTYPE, "..")],
        [entry("here", tarfile.SYMTYPE, "."), entry("out", tarfile.SYMTYPE, "here/..")],
        [entry("d", tarfile.SYMTYPE, "/tmp"), entry("d/file")],
        [entry("hard", tarfile.LNKTYPE, "x")],
        [entry("dev", tarfile.CHRTYPE)],
        [entry("pipe", tarfile.FIFOTYPE)],
        [entry("twice"), entry("twice")],
        [entry("twice"), entry("twice", tarfile.SYMTYPE, "x")],
        [entry("no-parent/file")],
    ],
    ids=lambda entries: "+".join(f"{e.name}:{e.type.decode()}" for e in entries),
)
def test_a_hostile_archive_is_refused_and_writes_nothing_outside(
    tmp_path: Path, entries: list[tarfile.TarInfo]
) -> None:
    data = b"".join(info.tobuf(tarfile.GNU_FORMAT) for info in entries) + b"\0" * 1024
    (tmp_path / "in").mkdir()
    with pytest.raises(ValueError, match=r"outside|neither|directory to be in|twice|unpacked"):
        unpacked(data, tmp_path / "in/out")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
    assert [p.name for p in (tmp_path / "in").iterdir()] == ["out"]


@pytest.mark.parametrize("cut", [100, 512, 700])
def test_an_archive_that_was_cut_is_refused_or_empty(tmp_path: Path, cut: int) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / "file").write_bytes(b"x" * 1000)
    with pytest.raises(ValueError, match="unpacked"):
        unpacked(packed(root)[:cut], tmp_path / "out")


def test_another_user_can_read_what_is_unpacked_for_all(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "d").mkdir(parents=True, mode=0o700)
    (root / "d/f").write_bytes(b"x")
    (root / "d/f").chmod(0o600)
    again = unpacked(packed(root), tmp_path / "out", readable=True)
    assert (again / "d").stat().st_mode & 0o777 == 0o755
    assert (again / "d/f").stat().st_mode & 0o777 == 0o644

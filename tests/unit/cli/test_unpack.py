"""A directory artifact as a directory again, and nothing outside of it."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from mlworkflow.runs.unpack import BadArchive, unpack
from mlworkflow_steps.agent.archive import pack

Entry = tuple[str, bytes, str, int]  # name, type, link or content, mode


def archive(tmp_path: Path, *entries: Entry) -> Path:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, text, mode in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, mode
            if kind == tarfile.REGTYPE:
                info.size = len(text)
                tar.addfile(info, io.BytesIO(text.encode()))
            else:
                info.linkname = text
                tar.addfile(info)
    return path


def test_what_the_agent_packs_comes_back_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "empty").mkdir()
    (source / "deep" / "er" / "tool").write_text("#!/bin/sh\n")
    (source / "deep" / "er" / "tool").chmod(0o751)
    (source / "ünï🙂").write_text("x" * 10_000)
    (source / "link").symlink_to("deep/er/tool")
    (source / "deep" / "up").symlink_to("../ünï🙂")
    (source / "dangling").symlink_to("nowhere")
    (source / "deep").chmod(0o555)
    (tmp_path / "a.tar").write_bytes(b"".join(pack(str(source))))

    unpack(tmp_path / "a.tar", tmp_path / "copy")

    assert b"".join(pack(str(tmp_path / "copy"))) == (tmp_path / "a.tar").read_bytes()


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([("/etc/x", tarfile.REGTYPE, "x", 0o644)], id="absolute"),
        pytest.param([("../x", tarfile.REGTYPE, "x", 0o644)], id="parent"),
        pytest.param([("a/../../x", tarfile.REGTYPE, "x", 0o644)], id="parent within"),
        pytest.param([("x", tarfile.SYMTYPE, "/etc/passwd", 0o777)], id="absolute link"),
        pytest.param([("x", tarfile.SYMTYPE, "../../etc/passwd", 0o777)], id="link outside"),
        pytest.param(
            [
                ("d", tarfile.DIRTYPE, "", 0o755),
                ("d/l", tarfile.SYMTYPE, "..", 0o777),
                ("x", tarfile.SYMTYPE, "d/l/..", 0o777),
            ],
            id="link outside by way of a link",
        ),
        pytest.param(
            [("x", tarfile.SYMTYPE, "..", 0o777), ("x/y", tarfile.REGTYPE, "x", 0o644)], id="file through a link"
        ),
        pytest.param(
            [("x", tarfile.SYMTYPE, ".", 0o777), ("x", tarfile.REGTYPE, "x", 0o644)], id="link and file of one name"
        ),
        pytest.param([("x", tarfile.LNKTYPE, "/etc/passwd", 0o644)], id="hard link"),
        pytest.param([("x", tarfile.CHRTYPE, "", 0o644)], id="device"),
        pytest.param([("x", tarfile.FIFOTYPE, "", 0o644)], id="pipe"),
    ],
)
def test_what_leads_outside_or_is_no_file_is_refused(tmp_path: Path, entries: list[Entry]) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    path = archive(tmp_path, *entries)
    before = set(tmp_path.iterdir())
    with pytest.raises(BadArchive):
        unpack(path, inner / "copy")
    assert set(tmp_path.iterdir()) == before
    assert set(inner.iterdir()) == {inner / "copy"}


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, b"\0" * 100])
def test_garbage_is_refused_or_empty(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(BadArchive):
        unpack(tmp_path / "a.tar", tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    whole = archive(tmp_path, ("x", tarfile.REGTYPE, "x" * 5000, 0o644)).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:2000])
    with pytest.raises(BadArchive):
        unpack(tmp_path / "a.tar", tmp_path / "copy")

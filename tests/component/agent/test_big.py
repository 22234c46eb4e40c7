"""Big artifacts, on every kind of store: in parts both ways, gone on with after a break, the same bytes in the end."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway.runs import OutputSpec
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import AttemptKey, cas_key, uploads_prefix
from mlworkflow.store.s3 import S3Store

from tests.component.agent.conftest import STEPS, Bench
from tests.component.cutting import Cutter
from tests.component.fakes import a_task
from tests.component.servers import checked

MakeBench = Callable[[ArtifactStore], Bench]
PART = 5 << 20
SMALL_PARTS = {"MLWF_PART_SIZE": str(PART)}
PUT = """
import json, sys
from mlworkflow_steps.agent import transfer
from mlworkflow_steps.agent.gateway import Gateway
from mlworkflow_steps.agent.patience import Patience
gateway = Gateway(sys.argv[1], sys.argv[2], Patience(float(sys.argv[3])))
print(json.dumps(transfer.publish(gateway, "big", sys.argv[4])))
"""
GET = PUT.replace(
    'print(json.dumps(transfer.publish(gateway, "big", sys.argv[4])))',
    """transfer.fetch(
    transfer.Source("big", lambda: gateway.input_url("big"), gateway.patience), json.loads(sys.argv[5]), sys.argv[4])""",
)
PEAK = """
print(next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""


def as_attempt(bench: Bench, script: str, *words: str, task: str = "train", **fields: object) -> tuple[str, int]:
    """Runs a script with the agent as a new attempt; its output, and the peak of its memory in MiB."""
    key = AttemptKey(bench.namespace, uuid.uuid4().hex, task, 0)
    bench.runs.add(a_task(key=key, outputs={"big": OutputSpec()}, **fields))  # type: ignore[arg-type]
    bench.token_file.write_text(bench.tokens.issue(key))
    command = [sys.executable, "-c", script + PEAK, bench.url, str(bench.token_file), *words]
    environ = {**os.environ, "PYTHONPATH": STEPS, "MLWF_PART_SIZE": str(PART)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, int(done.stderr.split()[-1])


def put(bench: Bench, path: Path) -> tuple[ArtifactRef, int]:
    out, peak = as_attempt(bench, PUT, "3600", str(path))
    return msgspec.json.decode(out, type=ArtifactRef), peak


def get(bench: Bench, artifact: ArtifactRef, path: Path) -> int:
    words = ("3600", str(path), json.dumps(msgspec.to_builtins(artifact)))
    return as_attempt(bench, GET, *words, inputs={"big": artifact})[1]


def write(path: Path, size: int) -> str:
    """A file of random bytes; its digest."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for at in range(0, size, 1 << 20):
            block = os.urandom(min(1 << 20, size - at))
            file.write(block)
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def test_a_big_file_goes_out_and_comes_back(make_bench: MakeBench, store: ArtifactStore) -> None:
    bench = make_bench(store)
    task = bench.task("head -c 33000000 /dev/urandom > $MLWF_OUT/big", outputs={"big": OutputSpec()})
    _, result, _, err = bench.run(task, **SMALL_PARTS)
    assert result.reason == "", err
    big = result.outputs["big"]
    assert (len(bench.get(big)), big.size) == (33_000_000, 33_000_000)
    assert list(store.list(uploads_prefix(bench.namespace))) == []
    _, result, out, _ = bench.run(bench.task("sha256sum $MLWF_IN/big | cut -c-64", inputs={"big": big}), **SMALL_PARTS)
    assert f"sha256:{out.strip()}" == big.digest


def test_memory_is_flat_in_the_size_of_a_file(make_bench: MakeBench, store: ArtifactStore, tmp_path: Path) -> None:
    bench = make_bench(store)
    digest = write(tmp_path / "file", 200_000_000)
    artifact, up = put(bench, tmp_path / "file")
    assert artifact == ArtifactRef(digest, 200_000_000, "file")
    down = get(bench, artifact, tmp_path / "back")
    with (tmp_path / "back").open("rb") as file:
        assert f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == digest
    assert max(up, down) <= 128, "MiB"


def test_memory_is_flat_in_the_size_of_a_directory_and_its_contents_are_the_same(
    make_bench: MakeBench, store: ArtifactStore, tmp_path: Path
) -> None:
    bench = make_bench(store)
    tree = tmp_path / "tree"
    for folder in ("a b/ünï🙂", "-rf", "empty/inner", os.fsdecode(b"\xff\xfe"), "x" * 120):
        (tree / folder).mkdir(parents=True)
    for number in range(400):
        (tree / "-rf" / f"{number:03} \n{number}").write_bytes(os.urandom(number * 7))
    for number in range(3):
        write(tree / f"big {number}", 40_000_000)
    (tree / "zero").touch()
    (tree / "zero").chmod(0o400)
    (tree / "run").write_text("#!/bin/sh\n")
    (tree / "run").chmod(0o755)
    (tree / "a b/link").symlink_to("../big 0")
    (tree / "empty").chmod(0o711)
    artifact, up = put(bench, tree)
    assert artifact.type == "directory"
    down = get(bench, artifact, tmp_path / "back")
    assert state(tmp_path / "back") == state(tree)
    assert max(up, down) <= 128, "MiB"


def state(root: Path) -> dict[str, tuple[int, str]]:
    found = {}
    for path in root.rglob("*"):
        content = os.readlink(path) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(root))] = (path.lstat().st_mode, content)
    return found


@pytest.fixture
def cutter(s3_store: S3Store) -> Iterator[Cutter]:
    """What steps reach the store through."""
    with Cutter(s3_store.settings.endpoint) as cutter:
        yield cutter


@pytest.fixture
def cut_bench(make_bench: MakeBench, s3_store: S3Store, cutter: Cutter) -> Bench:
    """A bench whose steps have a bad connection to the store."""
    return make_bench(reached_at(s3_store, cutter))


def reached_at(store: S3Store, cutter: Cutter) -> S3Store:
    return checked(S3Store(replace(store.settings, step_endpoint=cutter.url)))


def test_a_connection_that_breaks_again_and_again_costs_what_was_under_way(
    cut_bench: Bench, cutter: Cutter, tmp_path: Path
) -> None:
    size = 60_000_000
    digest = write(tmp_path / "file", size)
    cutter.cuts = [1_000_000, 6_000_000, 100, 3_000_000, 2_000_000]
    artifact, _ = put(cut_bench, tmp_path / "file")
    assert artifact.digest == digest
    assert hashlib.sha256(cut_bench.get(artifact)).hexdigest() == digest[7:]
    assert cutter.cuts == []
    assert cutter.up < size + 5 * PART + 1_000_000, "only parts that broke were sent again"
    cutter.cuts = [1_000_000, 3_000_000, 100, 6_000_000, 2_000_000]
    get(cut_bench, artifact, tmp_path / "back")
    assert hashlib.sha256((tmp_path / "back").read_bytes()).hexdigest() == digest[7:]
    assert cutter.cuts == []
    assert cutter.down < size + 5_000_000, "what had come was not read again"


def test_another_attempt_goes_on_with_what_has_arrived(cut_bench: Bench, cutter: Cutter, tmp_path: Path) -> None:
    size = 60_000_000
    digest = write(tmp_path / "file", size)
    cutter.ends_after = 40_000_000
    with pytest.raises(AssertionError, match="GaveUp"):
        as_attempt(cut_bench, PUT, "0.5", str(tmp_path / "file"))
    sent, cutter.ends_after = cutter.up, sys.maxsize
    artifact, _ = put(cut_bench, tmp_path / "file")
    assert artifact.digest == digest
    assert hashlib.sha256(cut_bench.get(artifact)).hexdigest() == digest[7:]
    assert cutter.up - sent < size - 15_000_000, "what has arrived is not sent again"


def test_an_upload_that_is_over_is_begun_anew(make_bench: MakeBench, s3_store: S3Store, tmp_path: Path) -> None:
    """A store may forget what nobody completed."""
    bench = make_bench(s3_store)
    with Cutter(s3_store.settings.endpoint) as cutter:
        cut = make_bench(reached_at(s3_store, cutter))
        cut.namespace = bench.namespace
        digest = write(tmp_path / "file", 30_000_000)
        cutter.ends_after = 12_000_000
        with pytest.raises(AssertionError, match="GaveUp"):
            as_attempt(cut, PUT, "0.5", str(tmp_path / "file"))
    at = cas_key(bench.namespace, digest)
    assert s3_store.in_parts is not None
    begun = list(s3_store.in_parts.begun(at))
    assert len(begun) == 1
    s3_store.in_parts.abort(at, begun[0][0])
    artifact, _ = put(bench, tmp_path / "file")
    assert hashlib.sha256(bench.get(artifact)).hexdigest() == digest[7:]

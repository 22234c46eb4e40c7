"""Artifacts against the `minio` client, on the same server in the same run: ``python -m tests.perf.artifacts``.

A file of 2 GB, and a directory of 20,000 files of 10 kB beside one file of the same size in all, each way. Ours is the agent's own
transfer with a real gateway between; theirs is `fput_object` and `fget_object`. Rounds alternate, medians count, each transfer is a
process of its own, whose peak of memory (`VmHWM`) is noted.

The file goes over a link of 5 Gbit/s, too: the loopback device of a network namespace made for that. It is what a flow gets in a cloud at most
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-network-bandwidth.html), and what the budget is for: without a
link, the processor that server, client and digest share is all that is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway._auth import LocalTokens
from mlworkflow.gateway.app import make_app
from mlworkflow.gateway.runs import OutputSpec
from mlworkflow.store.credentials import FixedKeys
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.s3 import S3Settings, S3Store

from tests.component.fakes import FakeRuns, a_task, served
from tests.component.servers import ACCESS_KEY, SECRET_KEY, checked, minio, seaweedfs
from tests.perf.table import Line, compared, measured, report

ROOT = Path(__file__).parents[2]
LINKED = ROOT / "build/perf-link.json"
BUCKET = "mlworkflow"
GIGABITS = 5
LEAST_OF_MINIO = 0.9
MOST_OF_ONE_FILE = 2.0
MOST_MEMORY = 128 << 20
SAMPLE = 1000
"""Objects that the client, which has one for each file, puts and gets in each round."""

OURS = """
import json, sys, time
from mlworkflow_steps.agent import transfer
from mlworkflow_steps.agent.gateway import Gateway
from mlworkflow_steps.agent.patience import Patience
gateway = Gateway(sys.argv[1], sys.argv[2], Patience())
began = time.perf_counter()
if sys.argv[3] == "put":
    result = transfer.publish(gateway, "big", sys.argv[4])
else:
    source = transfer.Source("big", lambda: gateway.input_url("big"), gateway.patience)
    result = transfer.fetch(source, json.loads(sys.argv[5]), sys.argv[4])
"""
THEIRS = """
import json, os, sys, time
from minio import Minio
client = Minio(sys.argv[1], access_key=sys.argv[2], secret_key=sys.argv[3], region="us-east-1", secure=False)
path, pairs = sys.argv[5], json.loads(sys.argv[6])
began = time.perf_counter()
for name, key in pairs:
    (client.fput_object if sys.argv[4] == "put" else client.fget_object)("mlworkflow", key, os.path.join(path, name))
result = None
"""
END = """
seconds = time.perf_counter() - began
peak = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([seconds, peak, result]))
"""


@dataclass
class Bench:
    """A server, a gateway before it, and what was measured."""

    endpoint: str
    folder: Path
    runs: FakeRuns = field(default_factory=FakeRuns)
    tokens: LocalTokens = field(default_factory=LocalTokens)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    peaks: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    url: str = ""

    def ours(self, noun: str, path: Path, back: Path) -> None:
        """There and back again, as a new artifact."""
        key = AttemptKey("perf", uuid.uuid4().hex, "train", 0)
        token = self.folder / "token"
        token.write_text(self.tokens.issue(key))
        self.runs.add(a_task(key=key, outputs={"big": OutputSpec()}))
        artifact = self._timed(f"{noun} up", OURS, self.url, token, "put", path)
        self.runs.tasks[key] = a_task(key=key, inputs={"big": ArtifactRef(**artifact)})
        self._timed(f"{noun} down", OURS, self.url, token, "get", back, json.dumps(artifact))

    def theirs(self, noun: str, folder: Path, names: list[str], back: Path) -> None:
        """The same, an object for each file."""
        pairs = json.dumps([(name, f"theirs/{uuid.uuid4().hex}") for name in names])
        netloc = urlsplit(self.endpoint).netloc
        self._timed(f"{noun} up", THEIRS, netloc, ACCESS_KEY, SECRET_KEY, "put", folder, pairs)
        self._timed(f"{noun} down", THEIRS, netloc, ACCESS_KEY, SECRET_KEY, "get", back, pairs)

    def _timed(self, noun: str, script: str, *words: object) -> dict[str, Any]:
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "steps")}
        command = [sys.executable, "-c", script + END, *map(str, words)]
        os.sync()  # what an earlier transfer left to be written is no part of this one
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True, timeout=1800)
        seconds, peak, result = json.loads(done.stdout)
        self.seconds[noun].append(seconds)
        self.peaks[noun] = max(self.peaks[noun], peak)
        print(f"  {noun:32} {seconds:8.2f} s {peak >> 20:6} MiB", flush=True)
        return result  # type: ignore[no-any-return]

    def median(self, noun: str) -> float:
        """Seconds."""
        return statistics.median(self.seconds[noun])


def lines_of_file(bench: Bench, size: int, where: str, budget: float | None) -> list[Line]:
    """One file each way, in rates."""
    found = []
    for way in ("up", "down"):
        ours, theirs = bench.median(f"ours, file {way}"), bench.median(f"minio, file {way}")
        rates = size / ours / 1e6, size / theirs / 1e6
        found.append(compared(f"one file, {way}, beside minio{where}", "MB/s", *rates, budget, least=True))
    return found


def lines_of_directory(bench: Bench, files: int) -> list[Line]:
    """Many small files each way, beside one, and beside as many objects."""
    found = []
    for way in ("up", "down"):
        ours, one = bench.median(f"ours, directory {way}"), bench.median(f"ours, as one file {way}")
        found.append(compared(f"directory, {way}, beside one file", "s", ours, one, MOST_OF_ONE_FILE))
        theirs = bench.median(f"minio, file by file {way}") * files / SAMPLE
        rates = files / ours, files / theirs
        found.append(compared(f"directory, {way}, beside minio", "files/s", *rates, LEAST_OF_MINIO, least=True))
    return found + [
        measured(f"memory, {noun}", "MiB", peak / 2**20, MOST_MEMORY / 2**20)
        for noun, peak in bench.peaks.items()
        if noun.startswith("ours")
    ]


def main(arguments: list[str]) -> list[Line]:
    """Measures; the options are told by ``--help``."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--server", choices=["minio", "seaweedfs"], default="minio")
    options.add_argument("--size", type=int, default=2_000_000_000, help="bytes of the big file")
    options.add_argument("--files", type=int, default=20_000, help="files of 10 kB")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--gigabits", type=int, help="of this process's loopback a second, and the big file alone")
    options.add_argument(
        "--folder", help="where a step's files are; in memory if nothing is said, so that no disk is measured"
    )
    chosen = options.parse_args(arguments)
    where = chosen.folder or ("/dev/shm" if os.path.isdir("/dev/shm") else None)
    with (
        tempfile.TemporaryDirectory(prefix="mlworkflow-perf-") as name,
        tempfile.TemporaryDirectory(prefix="mlworkflow-perf-", dir=where) as files,
    ):
        folder = Path(name)
        if chosen.gigabits:
            limit_loopback(chosen.gigabits)
        with {"minio": minio, "seaweedfs": seaweedfs}[chosen.server](folder) as endpoint:
            keys = FixedKeys(ACCESS_KEY, SECRET_KEY)
            store = checked(S3Store(S3Settings(endpoint=endpoint, bucket=BUCKET, keys=keys, create_bucket=True)))
            bench = Bench(endpoint, Path(files))
            with served(make_app(runs=bench.runs, store=store, authenticator=bench.tokens)) as bench.url:
                measure(bench, store, chosen.size, 0 if chosen.gigabits else chosen.files, chosen.rounds)
    if chosen.gigabits:
        return lines_of_file(bench, chosen.size, f", over {chosen.gigabits} Gbit/s", LEAST_OF_MINIO)
    found = lines_of_file(bench, chosen.size, "", None) + lines_of_directory(bench, chosen.files)
    return found + over_a_link(arguments)


def over_a_link(arguments: list[str]) -> list[Line]:
    """The same options, in a network of its own."""
    LINKED.unlink(missing_ok=True)
    own = ["unshare", "--net", "--map-root-user", sys.executable, "-m", "tests.perf.artifacts"]
    subprocess.run([*own, *arguments, "--gigabits", str(GIGABITS)], check=False, cwd=ROOT)  # 1: a budget is missed
    return [
        Line(**{name: value for name, value in line.items() if name != "is_met"})
        for line in json.loads(LINKED.read_text())["lines"]
    ]


def limit_loopback(gigabits: int) -> None:
    """For who is in a network namespace of its own."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    shape = ["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", f"{gigabits}gbit", "burst", "4mb"]
    subprocess.run([*shape, "latency", "50ms"], check=True)


def measure(bench: Bench, store: S3Store, size: int, files: int, rounds: int) -> None:
    """The rounds, each with new bytes, in one order and then in the other."""
    source, back = bench.folder / "source", bench.folder / "back"
    changed = [source / "file"]
    write_file(source / "file", size)
    turns: list[Callable[[], None]] = [
        lambda: bench.theirs("minio, file", source, ["file"], back),
        lambda: bench.ours("ours, file", source / "file", back / "file"),
    ]
    if files:
        write_file(source / "one", files * 10_000)
        names = write_tree(source / "tree", files)
        changed += [source / "one", source / "tree" / names[0]]
        turns += [
            lambda: bench.theirs("minio, file by file", source / "tree", names[:SAMPLE], back / "tree"),
            lambda: bench.ours("ours, directory", source / "tree", back / "tree"),
            lambda: bench.ours("ours, as one file", source / "one", back / "one"),
        ]
    for number in range(rounds):
        print(f"round {number + 1}", flush=True)
        for path in changed:
            with path.open("rb+") as file:  # another digest
                file.write(os.urandom(32))
        for turn in turns[::-1] if number % 2 else turns:
            shutil.rmtree(back, ignore_errors=True)
            back.mkdir()
            turn()
            for key in [*store.list("theirs/"), *store.list("perf/")]:
                store.delete(key)


def write_file(path: Path, size: int) -> None:
    """A file that no store can make smaller."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        while size:
            file.write(os.urandom(min(size, 1 << 24)))
            size -= min(size, 1 << 24)


def write_tree(root: Path, files: int) -> list[str]:
    """Files of 10 kB, a thousand to a folder; their paths."""
    names = [f"{number // 1000:03}/{number:06}" for number in range(files)]
    for name in names:
        write_file(root / name, 10_000)
    return names


if __name__ == "__main__":
    path = LINKED if "--gigabits" in sys.argv else ROOT / "build/perf-artifacts.json"
    sys.exit(not report(main(sys.argv[1:]), path))

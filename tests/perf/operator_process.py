"""The operator as a process of this machine, with a real MinIO, beside a cluster whose nodes are simulated: it can be measured, killed and profiled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from node.api import KUBECONFIG

from tests.component.secret import Secret
from tests.component.servers import ACCESS_KEY, SECRET_KEY, free_port, minio

ROOT = Path(__file__).parents[2]


class Operator:
    """Its process, which `start` and `kill` may be called for again and again; `gateway` is its URL."""

    def __init__(self, folder: Path, store: str, namespace: str, more: Mapping[str, str] | None = None) -> None:
        self._folder, gateway, self._health = folder, free_port(), free_port()
        self.gateway = f"http://127.0.0.1:{gateway}"
        keys = folder / "keys"
        Secret(keys).put(ACCESS_KEY, SECRET_KEY)
        self._environ = {
            **os.environ,
            "KUBECONFIG": str(KUBECONFIG),
            "PYTHONPATH": str(ROOT / "operator"),
            "MLWF_NAMESPACES": namespace,
            "MLWF_LOG_LEVEL": "WARNING",
            "MLWF_STORE_URL": store,
            "MLWF_STORE_BUCKET": "mlworkflow",
            "MLWF_STORE_KEYS": str(keys),
            "MLWF_GATEWAY_URL": self.gateway,
            "MLWF_GATEWAY_PORT": str(gateway),
            "MLWF_HEALTH_PORT": str(self._health),
            "MLWF_STEPS_IMAGE": "mlworkflow/steps:perf",
            "MLWF_AGENT_IMAGE": "mlworkflow/agent:perf",
            "MLWF_REGISTRY_ENABLED": "false",
            "MLWF_GC_ENABLED": "false",
            **(more or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it is ready."""
        with (self._folder / "operator.log").open("ab") as log:
            command = [*os.environ.get("MLWF_PERF_WRAPPER", "").split(), sys.executable, "-m", "mlworkflow"]
            self._process = subprocess.Popen(command, env=self._environ, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._health}/readyz", timeout=5):
                    return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self._folder / "operator.log").read_text()[-4000:]) from None
                time.sleep(0.02)

    def kill(self) -> None:
        """As a node that vanishes does."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """As a Deployment does."""
        if self._process:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def memory(self) -> int:
        """Bytes that are its own or shared with nobody now (RSS)."""
        return self._status("VmRSS") << 10

    def cpu(self) -> float:
        """Seconds of the processor so far, of it and of those that it started."""
        assert self._process
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        pids = [self._process.pid, *(pid for children in tasks for pid in children.read_text().split())]
        return sum(processor_of(Path(f"/proc/{pid}")) for pid in pids)

    def _status(self, name: str) -> int:
        assert self._process
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))


def processor_of(process: Path) -> float:
    """Seconds of the processor so far, of a process in /proc and of those of its children that it has waited for. Raises OSError where it has ended."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(folder: Path, namespace: str) -> Iterator[Operator]:
    """An operator for one namespace, with a store of its own."""
    with minio(folder) as store:
        operator = Operator(folder, store, namespace)
        operator.start()
        try:
            yield operator
        finally:
            operator.stop()

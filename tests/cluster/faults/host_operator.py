"""The operator as a process of this machine, from this checkout, in the node's network: its clock can be set, which a Pod's cannot."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node.api import KUBECONFIG, NODE_IP
from node.constants import NETNS

from ..conftest import RELEASE, ROOT, SYSTEM, Cluster, wait_for
from .operators import no_operator

GATEWAY, HEALTH = 18080, 18081
KEYS = ("access-key", "secret-key")


class HostOperator:
    def __init__(self, process: subprocess.Popen[bytes], offset: Path, log: Path) -> None:
        self.process, self._offset, self._log = process, offset, log

    def step_clock(self, seconds: float) -> None:
        """Its clock is `seconds` off from here on."""
        fresh = self._offset.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._offset)

    def log(self) -> str:
        return self._log.read_text()[-4000:]


@contextmanager
def host_operator(cluster: Cluster, folder: Path) -> Iterator[HostOperator]:
    """In place of the release's own, with the same settings but for its addresses."""
    with no_operator(cluster):
        offset, log = folder / "offset", folder / "operator.log"
        command = [sys.executable, str(Path(__file__).with_name("shifted.py")), str(offset)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{NETNS}", *command],
                env=settings(cluster, folder), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            wait_for(is_ready, 30, log.read_text)
            yield HostOperator(process, offset, log)
        finally:
            process.terminate()
            process.wait(timeout=20)


def settings(cluster: Cluster, folder: Path) -> dict[str, str]:
    deployment = json.loads(cluster.kubectl("get", "deploy", RELEASE, "-n", SYSTEM, "-o", "json"))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    environ = {variable["name"]: variable.get("value", "") for variable in container["env"]}
    (service,) = cluster.get("services", SYSTEM, "-l", "app.kubernetes.io/component=minio")
    secret = next(
        volume["secret"]["secretName"]
        for volume in deployment["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "store-keys"
    )
    data = json.loads(cluster.kubectl("get", "secret", secret, "-n", SYSTEM, "-o", "json"))["data"]
    for key in KEYS:
        (folder / key).touch(mode=0o600)
        (folder / key).write_bytes(base64.b64decode(data[key]))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT / "operator"),
        **environ,
        "KUBECONFIG": str(KUBECONFIG),
        "MLWF_SIGNING_KEY": "",  # its Secret is mounted into the Pod alone; nothing is signed here
        "MLWF_GATEWAY_PORT": str(GATEWAY),
        "MLWF_HEALTH_PORT": str(HEALTH),
        "MLWF_GATEWAY_URL": f"http://{NODE_IP}:{GATEWAY}",
        "MLWF_STORE_URL": f"http://{service['spec']['clusterIP']}:{service['spec']['ports'][0]['port']}",
        "MLWF_STORE_KEYS": str(folder),
    }


def is_ready() -> bool:
    try:
        return bool(urllib.request.urlopen(f"http://{NODE_IP}:{HEALTH}/readyz", timeout=2).status == 200)
    except OSError:
        return False

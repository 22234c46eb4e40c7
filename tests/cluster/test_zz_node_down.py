"""Taking the node down leaves nothing behind. Last of this folder's files: it ends what the other tests run on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from node import api
from node.constants import CACHE, CGROUP, NETNS, ROOT, VETH_HOST

pytestmark = pytest.mark.skipif("KUBECONFIG" in os.environ, reason="tests run on a cluster of your own")


def test_down_leaves_nothing_behind_and_up_works_after_it() -> None:
    api.ensure_up()
    api.ensure_images("busybox")
    kubectl = [str(api.binary("kubectl")), "--kubeconfig", str(api.KUBECONFIG)]
    subprocess.run([*kubectl, "run", "stays", "--image", api.image("busybox"), "--", "sleep", "8642"], check=True)
    subprocess.run([*kubectl, "wait", "--for=condition=Ready", "pod/stays", "--timeout=60s"], check=True)
    assert _processes_with("sleep\08642")

    api.down()

    assert not _processes_with("sleep\08642")
    assert not _processes_with(f"{CACHE}/kubernetes-")
    assert not _processes_with(f"{ROOT}/containerd.sock")
    assert str(ROOT) not in Path("/proc/self/mounts").read_text()
    assert not Path(f"/run/netns/{NETNS}").exists()
    assert VETH_HOST not in subprocess.run(["ip", "link"], capture_output=True, text=True).stdout
    assert not list(Path("/sys/fs/cgroup").glob(f"**/{CGROUP}"))
    assert not ROOT.exists()

    api.down()  # again: there is nothing to do
    api.ensure_up()
    assert set(api.status().values()) == {"running", "ready"}
    api.down()


def _processes_with(words: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if words in command:
            found.append(command)
    return found

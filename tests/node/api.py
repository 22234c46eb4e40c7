"""What tests import: a ready cluster, its images and programs, and ways to break it on purpose.

    from node import api            # with `tests` on the path (pytest: pythonpath = ["tests"])

    api.ensure_up(); api.ensure_images("steps")
    with api.stopped("apiserver"): time.sleep(20)
    with api.paused("etcd"): ...

Components are named as in `api.NAMES`. Everything is synchronous and may take seconds; nothing needs a teardown but
the faults, and even those are undone by the next `ensure_up`.
"""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from . import cluster, components, families, images, kube, kwok, policies, processes
from .components import NAMES
from .constants import ETCD_METRICS_PORT, HOST_IP, KUBECONFIG, NODE_IP, NODE_NAME, POD_CIDR, SERVICE_CIDR
from .errors import Missing, NodeError
from .shell import wait_until

__all__ = [
    "ETCD_METRICS_PORT",
    "HOST_IP",
    "KUBECONFIG",
    "NAMES",
    "NODE_IP",
    "NODE_NAME",
    "POD_CIDR",
    "SERVICE_CIDR",
    "Missing",
    "NodeError",
    "binary",
    "down",
    "ensure_images",
    "ensure_up",
    "image",
    "image_archive",
    "kwok",
    "load_image",
    "pause",
    "paused",
    "policies",
    "resume",
    "start",
    "status",
    "stop",
    "stopped",
    "wait_ready",
]


def ensure_up() -> Path:
    """The kubeconfig of a ready node, started or repaired now if need be. Raises Missing where it cannot run."""
    return cluster.up()


def down() -> None:
    """Stop the node and remove every trace of it but the cache. Raises NodeError if something stays."""
    cluster.down()


def status() -> dict[str, str]:
    """Each component's state (`running`, `frozen`, `stopped`), and `node`: `ready` or `not ready`."""
    return cluster.status()


def ensure_images(*names: str) -> None:
    """Have the named images (`python`, `busybox`, `minio`, `seaweedfs`, `operator`, `agent`, `steps`), or all, in the
    node, built from the working tree as it is now."""
    images.ensure(names or images.names())


def image(name: str) -> str:
    """The full name of one of these images, as a Pod writes it."""
    return images.tag(name)


def image_archive(name: str) -> Path:
    """The docker archive of one of these images, for `docker load`, made now if it is not current."""
    return images.archive(name)


def load_image(archive: Path) -> None:
    """Load any docker archive into the node."""
    images.load(archive)


def binary(name: str) -> Path:
    """The path of a program (`kubectl`, `helm`, `helm3`, `minio`, `weed`, `kwok`, …), built or fetched if need be."""
    return families.program(name)


def stop(name: str, *, kill: bool = False) -> None:
    """End a component: on request, or (`kill`) without any warning. Returns when it is gone."""
    process = components.component(name).process
    if kill:
        processes.send(process, signal.SIGKILL)
    processes.stop(process)


def start(name: str) -> None:
    """Start a component that is not running; for the API server, wait until it serves."""
    component = components.component(name)
    if not processes.pids(component.process):
        processes.start(name, component.command())
    if name == "apiserver":
        wait_until("the API server does not serve", kube.is_serving, seconds=60)


def pause(name: str) -> None:
    """Freeze a component: its connections stay open and nobody answers, as on a node that swaps or a network that drops."""
    processes.send(components.component(name).process, signal.SIGSTOP)


def resume(name: str) -> None:
    processes.send(components.component(name).process, signal.SIGCONT)


@contextlib.contextmanager
def stopped(name: str, *, kill: bool = False) -> Iterator[None]:
    stop(name, kill=kill)
    try:
        yield
    finally:
        start(name)


@contextlib.contextmanager
def paused(name: str) -> Iterator[None]:
    pause(name)
    try:
        yield
    finally:
        resume(name)


def wait_ready(seconds: float = 60) -> None:
    """Wait until the API server serves and the node takes Pods again."""
    wait_until("the node is not ready", kube.is_node_ready, seconds=seconds)

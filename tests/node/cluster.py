"""The node as a whole: up, down, status.

`up` converges: whatever an earlier run left, running, half-started, crashed or frozen, it ends with a ready node or an
error. What runs as it should is left alone; missing components are started; and where that cannot help (other
programs or settings, no network, not ready in time) everything is stopped and started anew, keeping etcd's state
and the images. `down` leaves nothing but the cache.
"""

import contextlib
import hashlib
import json
import shutil
import signal
import time
from pathlib import Path

from . import cgroups, docker_archive, kube, mounts, network, pki, prerequisites, processes
from .components import COMPONENTS, ctr
from .configs import config_files
from .constants import CACHE, KUBECONFIG, PAUSE_IMAGE, ROOT
from .errors import NodeError
from .families import FAMILIES, NODE_FAMILIES, build
from .shell import locked, run, say, succeeds, wait_until

_LOCK = CACHE / "up.lock"
_WANTED = ROOT / "wanted"  # the digest of what the running node was started with
_READY_SECONDS = 60


def up(*, fresh: bool = False) -> Path:
    """Make the node ready and return its kubeconfig. `fresh` discards the cluster's objects, not its images."""
    prerequisites.need_root()
    prerequisites.need_packages(prerequisites.NODE)
    build(NODE_FAMILIES)
    with locked(_LOCK, "node up or down"):
        started = time.monotonic()
        if not fresh and _is_as_wanted() and not _missing() and kube.is_serving() and kube.is_node_ready():
            say("the node is already up")
            return KUBECONFIG
        if fresh or not _is_as_wanted() or not network.is_up():
            _stop()
            if fresh:
                _forget_objects()
        try:
            _start()
        except NodeError as error:
            say(f"starting over: {error}")
            _stop()
            _start()
        say(f"the node is ready after {time.monotonic() - started:.1f} s")
    return KUBECONFIG


def down() -> None:
    """Stop everything of ours and remove every trace but the cache. Safe at any time, in any state."""
    prerequisites.need_root()
    with locked(_LOCK, "node up or down"):
        _stop()
        mounts.remove(ROOT)
        left = leftovers()
    if left:
        raise NodeError("still there: " + ", ".join(left))
    say("the node is down")


def status() -> dict[str, str]:
    """Each component: `running`, `frozen` or `stopped`; and whether the `node` is `ready`."""
    running = {name: pid for pid, name in processes.ours().items()}
    found = {}
    for component in COMPONENTS:
        pid = running.get(component.process)
        found[component.name] = "stopped" if pid is None else "frozen" if processes.is_stopped(pid) else "running"
    found["node"] = "ready" if pki.PKI.exists() and kube.is_serving() and kube.is_node_ready() else "not ready"
    return found


def leftovers() -> list[str]:
    """What of the node exists outside the cache, for people: processes, mounts, network, cgroups, files."""
    left = [f"process {pid} ({name})" for pid, name in processes.ours().items()]
    left += [f"container process {pid}" for pid in cgroups.pids()]
    left += [f"mount {point}" for point in mounts.below(ROOT)]
    left += ["network namespace or link"] if network.is_there() else []
    left += ["cgroup"] if cgroups.is_there() else []
    left += [f"folder {ROOT}"] if ROOT.exists() else []
    return left


def _start() -> None:
    _lay_out()
    running = set(processes.ours().values())
    for component in COMPONENTS:
        processes.send(component.process, signal.SIGCONT)  # thaws what an interrupted fault test left frozen
        if component.name == "controllers":
            wait_until("the API server does not serve", kube.is_serving, seconds=_READY_SECONDS, hint=_LOG_HINT)
        if component.name == "kubelet":
            _prepare_containerd()
        if component.process not in running:
            processes.start(component.name, component.command())
    wait_until("the node is not ready", kube.is_node_ready, seconds=_READY_SECONDS, hint=_LOG_HINT)


_LOG_HINT = f": see {ROOT}/log"


def _lay_out() -> None:
    for folder in ("etcd", "kubelet", "containerd", "cni", "volume-plugins"):
        (ROOT / folder).mkdir(parents=True, exist_ok=True)
    (ROOT / "etcd").chmod(0o700)
    pki.make()
    for name, content in _config_files().items():
        (ROOT / name).write_text(content)
    if not network.is_up():
        network.make()
    cgroups.make()
    _WANTED.write_text(_wanted())


def _prepare_containerd() -> None:
    wait_until("containerd does not answer", lambda: succeeds(*ctr("version")), seconds=30, hint=_LOG_HINT)
    if PAUSE_IMAGE not in run(*ctr("images", "ls", "-q")).split():
        pause = (FAMILIES["pause"].folder / "pause").read_bytes()
        archive = docker_archive.of_files(PAUSE_IMAGE, {"pause": pause}, {"Entrypoint": ["/pause"]})
        run(*ctr("images", "import", "-"), stdin=archive)


def _stop() -> None:
    """End all processes of ours, then what they leave in the kernel. Keeps the files."""
    processes.stop("kubelet", seconds=0)  # first: it would restart what is killed next
    cgroups.remove()
    for name in ("kwok", "kube-router", *(component.process for component in reversed(COMPONENTS))):
        # Those with state of their own on disk get time to close it, the others have nothing to lose.
        processes.stop(name, seconds=3 if name in ("containerd", "etcd") else 0)
    processes.kill_all(processes.ours())  # containers' shims, and what an older version of this tool started
    with contextlib.suppress(NodeError):
        wait_until("processes remain", lambda: not processes.ours(), seconds=5)
    cgroups.remove()
    mounts.unmount_below(ROOT)
    network.remove()
    for folder in ("containerd/state", "runc", "cni-ipam", "containerd.sock", "containerd.sock.ttrpc"):
        path = ROOT / folder
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _forget_objects() -> None:
    """Discard the API's objects and the Pods made for them; the images in containerd stay."""
    for folder in ("etcd", "kubelet", "pod-logs"):
        mounts.remove(ROOT / folder)


def _missing() -> list[str]:
    return [name for name, state in status().items() if state not in ("running", "ready")]


def _config_files() -> dict[str, str]:
    return config_files(runc=str(FAMILIES["runc"].folder / "runc"))


def _wanted() -> str:
    """A digest of every program and setting: a running node that was started with others is started anew."""
    commands = [[str(word) for word in component.command()] for component in COMPONENTS]
    return hashlib.sha256(json.dumps([commands, _config_files()]).encode()).hexdigest()


def _is_as_wanted() -> bool:
    return _WANTED.exists() and _WANTED.read_text() == _wanted()

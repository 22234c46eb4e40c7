"""Enforcing NetworkPolicies on the running node, for tests of who may call whom. Without this nothing does.

kube-router's policy controller alone, none of its routing: it writes the policies into iptables and ipsets of the
node's network, for Pods on the bridge too. As on any node, what comes from the node itself reaches its Pods.
"""

import contextlib

from . import families, prerequisites, processes
from .constants import KUBECONFIG, NODE_NAME, ROOT, SERVICE_CIDR
from .errors import NodeError
from .shell import run, succeeds, wait_until

_PROGRAM = "kube-router"
_BRIDGED = "echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables"
_FORGET = (
    "iptables-save | grep -v KUBE-ROUTER | grep -v KUBE-POD-FW | grep -v KUBE-NWPLCY | iptables-restore; ipset destroy"
)


def start() -> None:
    """Have every policy enforced, those there are and those to come."""
    prerequisites.need_packages({"ipset": "ipset"})
    program = families.program(_PROGRAM)
    run(*processes.IN_NETNS, "sh", "-c", _BRIDGED)
    only = ("--run-firewall=true", "--run-router=false", "--run-service-proxy=false")
    if not processes.pids(_PROGRAM):
        processes.start(
            _PROGRAM,
            [
                program,
                *only,
                f"--kubeconfig={KUBECONFIG}",
                f"--hostname-override={NODE_NAME}",
                f"--service-cluster-ip-range={SERVICE_CIDR}",
            ],
        )
    is_there = (*processes.IN_NETNS, "iptables", "-S", "KUBE-ROUTER-FORWARD")
    hint = f": see {ROOT}/log/{_PROGRAM}.log"
    wait_until("no policy is enforced", lambda: succeeds(*is_there), seconds=60, hint=hint)


def stop() -> None:
    """Let everybody call everybody again."""
    processes.stop(_PROGRAM)
    with contextlib.suppress(NodeError):  # the node is down
        run(*processes.IN_NETNS, "sh", "-c", _FORGET)

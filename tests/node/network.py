"""One network namespace for the whole node, joined to the host by one veth pair.

The host's own rules and settings are not touched: kube-proxy's rules and the Pod bridge live inside. Taking it down is
deleting the namespace and the pair. The host routes Pod and Service addresses through the pair, so tests reach both.
"""

from pathlib import Path

from .constants import HOST_IP, NETNS, NODE_IP, POD_CIDR, SERVICE_CIDR, VETH_HOST, VETH_NODE
from .errors import NodeError
from .processes import IN_NETNS
from .shell import run, succeeds


def is_up() -> bool:
    return succeeds("ip", "link", "show", VETH_HOST) and succeeds("ip", "-n", NETNS, "link", "show", VETH_NODE)


def make() -> None:
    remove()
    taken = [cidr for cidr in (POD_CIDR, SERVICE_CIDR) if run("ip", "route", "show", cidr).strip()]
    if taken:
        raise NodeError(f"this machine already routes {', '.join(taken)}: `ip route show` names the other user of it")
    run("ip", "netns", "add", NETNS)
    run("ip", "link", "add", VETH_HOST, "type", "veth", "peer", "name", VETH_NODE, "netns", NETNS)
    run("ip", "addr", "add", f"{HOST_IP}/24", "dev", VETH_HOST)
    run("ip", "link", "set", VETH_HOST, "up")
    inside = (
        "link set lo up",
        f"addr add {NODE_IP}/24 dev {VETH_NODE}",
        f"link set {VETH_NODE} up",
        f"route add default via {HOST_IP}",
    )
    for command in inside:
        run("ip", "-n", NETNS, *command.split())
    for cidr in (POD_CIDR, SERVICE_CIDR):
        run("ip", "route", "add", cidr, "via", NODE_IP)
    run(*IN_NETNS, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")


def remove() -> None:
    succeeds("ip", "link", "delete", VETH_HOST)  # its peer and the routes through it go with it
    if Path(f"/run/netns/{NETNS}").exists() and not succeeds("ip", "netns", "delete", NETNS):
        Path(f"/run/netns/{NETNS}").unlink(missing_ok=True)  # a mount point without its mount


def is_there() -> bool:
    return Path(f"/run/netns/{NETNS}").exists() or succeeds("ip", "link", "show", VETH_HOST)

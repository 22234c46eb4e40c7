"""What a node runs: each component's name, program and command line, in the order of starting.

Stopping goes the other way round, etcd last: an API server without its etcd does not end on SIGTERM.
"""

import dataclasses
from pathlib import Path

from .configs import CONTAINERD_SOCKET
from .constants import API_PORT, CLUSTER_DOMAIN, ETCD_METRICS_PORT, NODE_IP, NODE_NAME, POD_CIDR, ROOT, SERVICE_CIDR
from .errors import NodeError
from .families import FAMILIES
from .pki import PKI, kubeconfig


@dataclasses.dataclass(frozen=True, slots=True)
class Component:
    name: str
    family: str
    arguments: tuple[str, ...]
    program: str = ""  # where it differs from the name

    @property
    def process(self) -> str:
        return self.program or self.name

    def command(self) -> list[Path | str]:
        return [FAMILIES[self.family].folder / self.process, *self.arguments]


_API_SERVER = (
    "--etcd-servers=http://127.0.0.1:2379",
    f"--advertise-address={NODE_IP}",
    f"--secure-port={API_PORT}",
    f"--service-cluster-ip-range={SERVICE_CIDR}",
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    f"--tls-cert-file={PKI}/apiserver.crt",
    f"--tls-private-key-file={PKI}/apiserver.key",
    f"--client-ca-file={PKI}/ca.crt",
    f"--service-account-key-file={PKI}/sa.pub",
    f"--service-account-signing-key-file={PKI}/sa.key",
    f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
    f"--kubelet-client-certificate={PKI}/admin.crt",
    f"--kubelet-client-key={PKI}/admin.key",
    f"--kubelet-certificate-authority={PKI}/ca.crt",
    "--kubelet-preferred-address-types=InternalIP",
    f"--requestheader-client-ca-file={PKI}/ca.crt",
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-username-headers=X-Remote-User",
    f"--proxy-client-cert-file={PKI}/front-proxy.crt",
    f"--proxy-client-key-file={PKI}/front-proxy.key",
    "--shutdown-delay-duration=0s",
)
_CONTROLLERS = (
    f"--kubeconfig={kubeconfig('controllers')}",
    "--leader-elect=false",
    "--use-service-account-credentials=true",
    f"--service-account-private-key-file={PKI}/sa.key",
    f"--root-ca-file={PKI}/ca.crt",
    f"--cluster-signing-cert-file={PKI}/ca.crt",
    f"--cluster-signing-key-file={PKI}/ca.key",
    f"--cluster-cidr={POD_CIDR}",
    # The one real node's Pod network is fixed (configs.py). Handing out ranges would run dry after one node.
    "--allocate-node-cidrs=false",
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
)
# The scheduler's default of 50 requests a second would cap every benchmark at 50 Pods a second.
_SCHEDULER = (
    f"--kubeconfig={kubeconfig('scheduler')}",
    "--leader-elect=false",
    "--kube-api-qps=2000",
    "--kube-api-burst=4000",
)
_PROXY = (
    f"--kubeconfig={kubeconfig('proxy')}",
    "--proxy-mode=iptables",
    f"--cluster-cidr={POD_CIDR}",
    f"--hostname-override={NODE_NAME}",
    "--conntrack-max-per-core=0",
)

COMPONENTS = (
    # A power cut may cost the state of a test cluster; without fsync every write is several times faster.
    Component(
        "etcd",
        "kubernetes",
        (
            "--data-dir",
            f"{ROOT}/etcd",
            "--unsafe-no-fsync",
            "--log-level",
            "warn",
            "--listen-metrics-urls",
            f"http://{NODE_IP}:{ETCD_METRICS_PORT}",
        ),
    ),
    Component("containerd", "containerd", ("-c", f"{ROOT}/containerd.toml")),
    Component("apiserver", "kubernetes", _API_SERVER, program="kube-apiserver"),
    Component("controllers", "kubernetes", _CONTROLLERS, program="kube-controller-manager"),
    Component("scheduler", "kubernetes", _SCHEDULER, program="kube-scheduler"),
    Component(
        "kubelet",
        "kubernetes",
        (
            f"--config={ROOT}/kubelet.yaml",
            f"--kubeconfig={kubeconfig('kubelet')}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_IP}",
            f"--root-dir={ROOT}/kubelet",
            f"--cert-dir={ROOT}/kubelet/pki",
        ),
    ),
    Component("proxy", "kubernetes", _PROXY, program="kube-proxy"),
    Component("coredns", "coredns", ("-conf", f"{ROOT}/Corefile")),
)
NAMES = tuple(component.name for component in COMPONENTS)


def component(name: str) -> Component:
    for one in COMPONENTS:
        if one.name == name:
            return one
    raise NodeError(f"no component {name!r}: one of {', '.join(NAMES)}")


def ctr(*arguments: object) -> list[str]:
    """A command line of containerd's own client, for the images and containers that the kubelet sees."""
    program = FAMILIES["containerd"].folder / "ctr"
    return [str(word) for word in (program, "-a", CONTAINERD_SOCKET, "-n", "k8s.io", *arguments)]

"""The configuration files of containerd, the kubelet and CoreDNS, as pure text: file name below ROOT -> content."""

import json

from .constants import CGROUP, CLUSTER_DOMAIN, KUBECONFIG, NODE_IP, PAUSE_IMAGE, POD_CIDR, ROOT

CONTAINERD_SOCKET = ROOT / "containerd.sock"


def config_files(runc: str) -> dict[str, str]:
    return {
        "containerd.toml": _containerd(runc),
        "cni/10-node.conflist": json.dumps(_pod_network()),
        "kubelet.yaml": json.dumps(_kubelet()),
        "Corefile": _corefile(),
        "resolv.conf": "",  # Pods get CoreDNS or nothing: the machine's own search domains are no business of theirs
    }


def _containerd(runc: str) -> str:
    return f"""version = 3
root = "{ROOT}/containerd/root"
state = "{ROOT}/containerd/state"
[grpc]
address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
# without CAP_SYS_RESOURCE every sandbox would fail with "can't get final child's PID from pipe"
restrict_oom_score_adj = true
# below our own folder, so that taking the node down finds them
netns_mounts_under_state_dir = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni", "/opt/cni/bin"]
conf_dir = "{ROOT}/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{runc}"
Root = "{ROOT}/runc"
SystemdCgroup = false
"""


def _pod_network() -> dict[str, object]:
    ranges = {"ranges": [[{"subnet": POD_CIDR}]], "routes": [{"dst": "0.0.0.0/0"}]}
    addresses = {"type": "host-local", "dataDir": f"{ROOT}/cni-ipam", **ranges}
    gateway = {"isGateway": True, "ipMasq": True, "hairpinMode": True}
    bridge = {"type": "bridge", "bridge": "cni0", **gateway, "ipam": addresses}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "node", "plugins": [bridge, ports]}


def _kubelet() -> dict[str, object]:
    pki = ROOT / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,  # refused by default since 1.35, and all that some machines have
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "clusterDNS": [NODE_IP],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": f"{ROOT}/resolv.conf",
        "authentication": {
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet.key",
        "maxPods": 250,
        "serializeImagePulls": False,
        "kubeAPIQPS": 500,
        "kubeAPIBurst": 1000,
        # A full disk must not evict Pods or delete images here: nothing could pull them again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi"},
        "volumeStatsAggPeriod": "5s",  # else a volume over its limit is noticed after a minute or more
        "podLogsDir": f"{ROOT}/pod-logs",
        "volumePluginDir": f"{ROOT}/volume-plugins",
    }


def _corefile() -> str:
    return f""".:53 {{
  bind {NODE_IP}
  errors
  kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
    kubeconfig {KUBECONFIG}
  }}
  cache 5
}}
"""

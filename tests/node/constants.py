"""Every name, address and pinned version of the node, once.

The addresses are fixed: a machine runs at most one node, and tests, charts and images may rely on them. Processes in
a Pod reach a server that listens on the host at `HOST_IP`; the host reaches Pods and Services by their own addresses.
"""

import os
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
MODULES = HERE / "modules"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlworkflow" / "node"
ROOT = Path(os.environ.get("MLWF_NODE_ROOT") or "/var/tmp/mlworkflow-node")
KUBECONFIG = ROOT / "admin.kubeconfig"

NODE_NAME = "node1"
NETNS = "mlworkflow-node"
CGROUP = "mlworkflow-node"
VETH_HOST, VETH_NODE = "mlwf-host", "mlwf-node"
NODE_IP, HOST_IP = "10.250.0.1", "10.250.0.2"
POD_CIDR, SERVICE_CIDR = "10.244.0.0/24", "10.96.0.0/16"
KUBERNETES_SERVICE_IP = "10.96.0.1"
API_PORT, ETCD_METRICS_PORT = 6443, 2381
CLUSTER_DOMAIN = "cluster.local"

KUBERNETES_VERSION = "1.37.2"
MINIO_RELEASE = "RELEASE.2025-09-07T16-13-09Z"  # the last one published on quay.io
SEAWEEDFS_VERSION = "4.48"
KUBECTL_VERSION = "1.37.1"
KUBECTL_OLDEST = (1, 35)  # the machine's own kubectl will do from here on

PAUSE_IMAGE = "localhost/mlworkflow/pause:node"
PYTHON_IMAGE = "docker.io/library/python:3.11-slim"
BUSYBOX_IMAGE = "docker.io/library/busybox:1.36"
MINIO_IMAGE = f"quay.io/minio/minio:{MINIO_RELEASE}"
SEAWEEDFS_IMAGE = f"docker.io/chrislusf/seaweedfs:{SEAWEEDFS_VERSION}"
IMAGE_PREFIX = "ghcr.io/mlworkflow"


def version() -> str:
    """The project's version, which is also the tag of its images. Source: pyproject.toml."""
    with open(REPOSITORY / "pyproject.toml", "rb") as file:
        return str(tomllib.load(file)["project"]["version"])

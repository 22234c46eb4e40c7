"""What the API server and etcd say that they were asked to do: counts, which no busy machine makes larger."""

from __future__ import annotations

import re
import urllib.request
from collections import Counter
from contextlib import aclosing

from mlworkflow.kube.client import KubeClient
from node import api

_ETCD = f"http://{api.NODE_IP}:{api.ETCD_METRICS_PORT}/metrics"
_LINE = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_OURS = {("POST", "pods", ""), ("PATCH", "mlworkflows", "status"), ("DELETE", "pods", "")}
"""What nobody but the operator asks for where nodes are simulated and workflows are deleted in the background: by verb, resource and part of it."""


async def writes(client: KubeClient) -> Counter[str]:
    """The operator's so far, by verb, resource and part; those that were refused too."""
    async with aclosing(client.stream("/metrics", {})) as pieces:
        text = b"".join([piece async for piece in pieces]).decode()
    found: Counter[str] = Counter()
    for line in _LINE.finditer(text):
        labels = dict(_LABEL.findall(line["labels"]))
        key = labels["verb"], labels["resource"], labels["subresource"]
        if key in _OURS:
            found[" ".join(filter(None, key))] += int(float(line["value"]))
    return found


def stored() -> int:
    """Bytes that etcd has been sent so far."""
    with urllib.request.urlopen(_ETCD, timeout=10) as answer:
        text = answer.read().decode()
    found = re.search(r"^etcd_network_client_grpc_received_bytes_total (\S+)$", text, re.MULTILINE)
    assert found, "etcd does not say how much it has received"
    return int(float(found[1]))

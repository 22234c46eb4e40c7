"""The smallest API client that the tool itself needs: JSON over TLS with the admin's certificate, one object a call."""

import http.client
import json
import ssl
from typing import Any

from .constants import API_PORT, NODE_IP, NODE_NAME
from .errors import NodeError
from .pki import PKI


def call(method: str, path: str, body: object = None, *, kind: str = "application/json", timeout: float = 10) -> Any:
    """One request. Returns the answer's JSON; raises NodeError with the API server's own words on 4xx and 5xx."""
    status, text = _request(method, path, body, kind, timeout)
    if status >= 400:
        raise NodeError(f"{method} {path}: {status} {text[:500]}")
    return json.loads(text)


def is_serving() -> bool:
    try:
        return _request("GET", "/readyz", None, "", 2)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def is_node_ready() -> bool:
    """Whether the node takes Pods: Ready, and the default service account that every Pod needs is made."""
    try:
        node = call("GET", f"/api/v1/nodes/{NODE_NAME}")
        call("GET", "/api/v1/namespaces/default/serviceaccounts/default")
    except (OSError, http.client.HTTPException, NodeError):
        return False
    conditions = {condition["type"]: condition["status"] for condition in node["status"].get("conditions", [])}
    return conditions.get("Ready") == "True"


def _request(method: str, path: str, body: object, kind: str, timeout: float) -> tuple[int, str]:
    context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))
    context.load_cert_chain(PKI / "admin.crt", PKI / "admin.key")
    connection = http.client.HTTPSConnection(NODE_IP, API_PORT, timeout=timeout, context=context)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": kind} if data else {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()

"""The few facts that every Kubernetes object has, read from its JSON."""

from typing import Any

Json = dict[str, Any]


def namespaced_name(obj: Json) -> str:
    """`namespace/name`, or the name alone for an object of the cluster."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def resource_version(obj: Json) -> int:
    """The version as a number, which grows with every write (by KEP-5504, and in fact always); 0 if there is none."""
    return int(obj["metadata"].get("resourceVersion") or 0)

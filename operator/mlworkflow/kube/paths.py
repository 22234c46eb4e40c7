"""Where resources live on the API server."""

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object by its group (empty for the core), version and plural."""

    group: str
    version: str
    plural: str

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of the collection, of one object, or of a subresource of it; no namespace means all of them."""
        parts = ["", "apis", self.group, self.version] if self.group else ["", "api", self.version]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


PODS = Resource("", "v1", "pods")
EVENTS = Resource("", "v1", "events")
NAMESPACES = Resource("", "v1", "namespaces")
SECRETS = Resource("", "v1", "secrets")
LEASES = Resource("coordination.k8s.io", "v1", "leases")
MLWORKFLOWS = Resource("mlworkflow.io", "v1alpha1", "mlworkflows")


@lru_cache(maxsize=4096)
def resource_of(path: str) -> str:
    """What a path is about: `pods`, `mlworkflows/status`; the path itself if that is not a resource.

    For counting requests, hence bounded in the values it returns.
    """
    parts = path.split("/")
    start = {"api": 3, "apis": 4}.get(parts[1] if len(parts) > 1 else "")
    if start is None or len(parts) <= start:
        return path
    if parts[start] == "namespaces" and len(parts) > start + 2:
        start += 2
    return "/".join([parts[start], *parts[start + 2 : start + 3]])

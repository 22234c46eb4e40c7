"""What the API server's answers mean. Pure: each function takes objects as they were read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlworkflow.core.names import VERSION
from mlworkflow.kube.quantity import quantity
from mlworkflow.runs.doctor.check import Check, fail, ok, warn

Object = Mapping[str, Any]
OLDEST = (1, 29)
UPGRADE = (
    "helm upgrade --install mlworkflow charts/mlworkflow -n mlworkflow-system --create-namespace (docs/install.md)"
)
RESTRICTED = "pod-security.kubernetes.io/enforce"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def version(found: Object, server: str) -> Check:
    words = f"Kubernetes {found.get('gitVersion', '?')} at {server}"
    numbers = re.findall(r"\d+", str(found.get("gitVersion", "")))[:2]
    if tuple(map(int, numbers)) < OLDEST:
        return warn("cluster", words, f"Kubernetes {'.'.join(map(str, OLDEST))} or newer is what the chart asks for")
    return ok("cluster", words)


def definition(there: Object, ours: Object) -> Check:
    """Whether the CRD of the cluster is the one that this program knows."""
    name = ours["metadata"]["name"]
    served = {one["name"]: one for one in there["spec"]["versions"] if one.get("served")}
    if VERSION not in served:
        return fail("crd", f"{name} serves {', '.join(served) or 'nothing'}, and not {VERSION}", UPGRADE)
    (own,) = ours["spec"]["versions"]
    differing = list(differences(own["schema"], served[VERSION].get("schema") or {}))
    if differing:
        shown = ", ".join(differing[:3]) + (f" and {len(differing) - 3} more" if len(differing) > 3 else "")
        return warn("crd", f"{name} {VERSION} is of another release than this mlwf: {shown}", UPGRADE)
    return ok("crd", f"{name} {VERSION}, the schema of this mlwf")


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Fields of a schema in which two differ; descriptions are words."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*ours, *theirs} - ({"description"} if "type" in ours or "type" in theirs else set())):
            inner = path if key in ("openAPIV3Schema", "properties", "items") else f"{path}.{key}".lstrip(".")
            yield from differences(ours.get(key), theirs.get(key), inner)
    elif ours != theirs:
        yield path or "the schema"


def operator(deployments: Sequence[Object], client: str) -> Iterator[Check]:
    """Whether it runs, and whether it is of this release."""
    if not deployments:
        yield fail("operator", "no Deployment of an operator is to be found", UPGRADE)
    for one in deployments:
        metadata, status = one["metadata"], one.get("status") or {}
        where = f"-n {metadata['namespace']} deploy/{metadata['name']}"
        ready, wanted = int(status.get("readyReplicas") or 0), int(one["spec"].get("replicas", 1))
        release = (metadata.get("labels") or {}).get("app.kubernetes.io/version", "?")
        words = f"{metadata['namespace']}/{metadata['name']} {release}, {ready} of {wanted} ready"
        if ready == 0:
            yield fail("operator", words, f"kubectl describe {where}; kubectl logs {where}")
        elif ready < wanted:
            yield warn("operator", words, f"kubectl describe {where}")
        elif release not in ("?", client):
            yield warn(
                "operator", f"{words}; this mlwf is {client}", f"pip install 'mlworkflow[cli]=={release}', or {UPGRADE}"
            )
        else:
            yield ok("operator", words)


def settings(deployment: Object) -> Mapping[str, str]:
    """The environment of the operator, as far as it stands in its Deployment."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["value"] for one in containers[0].get("env") or [] if "value" in one}


def watched(namespace: str, environ: Mapping[str, str]) -> Check:
    named = [one for one in environ.get("MLWF_NAMESPACES", "").split(",") if one]
    if named and namespace not in named:
        fix = f"helm upgrade … --set watchNamespaces='{{{','.join([*named, namespace])}}}', or -n {named[0]}"
        return fail("watched", f"the operator looks at {', '.join(named)}, and not at {namespace}", fix)
    return ok("watched", f"the operator looks at {'all namespaces' if not named else ', '.join(named)}")


def admission(namespace: Object) -> Check:
    """Pod Security: the steps image keeps to every level, an image that runs as root does not."""
    name = namespace["metadata"]["name"]
    level = (namespace["metadata"].get("labels") or {}).get(RESTRICTED, "privileged")
    if (namespace.get("status") or {}).get("phase") == "Terminating":
        return fail("namespace", f"{name} is being deleted", "name another: -n NAMESPACE")
    if level == "restricted":
        words = (
            f"{name} enforces Pod security '{level}': built-in steps keep to it; images that run as root are refused"
        )
        return warn(
            "namespace",
            words,
            "for such: securityContext: {runAsNonRoot: true, runAsUser: 65532}, or an image with a user",
        )
    return ok("namespace", f"{name}, Pod security '{level}'")


def quotas(found: Sequence[Object]) -> Iterator[Check]:
    """What is used up, and what every Pod has to say because of a quota."""
    for one in found:
        name, status = one["metadata"]["name"], one.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        full = [key for key, most in hard.items() if key in used and quantity(used[key]) >= quantity(most)]
        asked = sorted(key for key in hard if key.partition(".")[0] in ("requests", "limits", "cpu", "memory"))
        if full:
            words = ", ".join(f"{key} {used[key]} of {hard[key]}" for key in full)
            yield warn(
                "quota", f"{name} is used up: {words}", f"Pods wait until there is room: kubectl describe quota {name}"
            )
        elif asked:
            words = f"{name} counts {', '.join(asked)}: a step that does not say them waits"
            yield warn("quota", words, "spec.defaults.resources: {requests: {cpu: …, memory: …}, limits: …}")
        else:
            yield ok(
                "quota", f"{name}: {', '.join(f'{key} {used.get(key, 0)} of {most}' for key, most in hard.items())}"
            )
    if not found:
        yield ok("quota", "none")


def images(nodes: Sequence[Object], image: str) -> Check:
    """Whether the nodes have the image of the built-in steps already."""
    have = [
        node for node in nodes if any(image in _names(one) for one in (node.get("status") or {}).get("images") or [])
    ]
    words = f"{image} is on {len(have)} of {len(nodes)} nodes"
    if have or "@" in image:
        return ok("images", f"{words}{'' if len(have) == len(nodes) else '; the others fetch it for their first step'}")
    return warn(
        "images",
        f"{words}: it is fetched for the first step",
        f"if it is in no registry: kind load docker-image {image}",
    )


def storage(claims: Sequence[Object], classes: Sequence[Object]) -> Check:
    """Steps need no volume; the chart's own store does, once."""
    waiting = [claim["metadata"]["name"] for claim in claims if (claim.get("status") or {}).get("phase") == "Pending"]
    default = [
        one["metadata"]["name"]
        for one in classes
        if (one["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
    ]
    if waiting:
        fix = "helm upgrade … --set store.persistence.storageClass=NAME (kubectl get storageclass)"
        return fail(
            "storage",
            f"the claim {waiting[0]} of the store has no volume{'' if default else ', and no StorageClass is the default'}",
            fix,
        )
    return ok(
        "storage",
        f"steps need no volume; the default StorageClass is {default[0] if default else 'none, and none is needed'}",
    )


def _names(image: Object) -> Iterator[str]:
    for name in image.get("names") or []:
        yield name
        yield name.removeprefix("docker.io/").removeprefix("library/")

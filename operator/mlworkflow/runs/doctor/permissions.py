"""What each command needs to be allowed, and the binding that allows it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlworkflow.core.names import GROUP, PLURAL


@dataclass(frozen=True, slots=True)
class Permission:
    """One verb on one resource; `of_operator`: in the operator's namespace, and there of the gateway's Service."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    of_operator: bool = False

    def review(self, namespace: str, gateway: str) -> Mapping[str, str]:
        """As the `resourceAttributes` of a SelfSubjectAccessReview. `gateway` is the name of the Service as it stands in URLs."""
        named = {"name": gateway} if self.of_operator else {}
        attributes = {"namespace": namespace, "verb": self.verb, "group": self.group, "resource": self.resource}
        return {**attributes, "subresource": self.subresource, **named}

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'/' if self.subresource else ''}{self.subresource}"


@dataclass(frozen=True, slots=True)
class Need:
    """Of commands: what they need, and which role of the chart has it. Without an `is_essential` one nothing works at all."""

    commands: str
    permissions: tuple[Permission, ...]
    role: str
    is_essential: bool = False

    def fix(self, user: str, namespace: str, operator_namespace: str) -> str:
        """The command of an administrator."""
        subject = f"--user={user}"
        if user.startswith("system:serviceaccount:"):
            subject = f"--serviceaccount={user.removeprefix('system:serviceaccount:')}"
        if self.role.startswith("mlworkflow-"):
            return f"kubectl create rolebinding {self.role} -n {namespace} --clusterrole={self.role} {subject}"
        if self.role in ("view", "edit"):
            return f"kubectl create rolebinding mlwf-{self.role} -n {namespace} --clusterrole={self.role} {subject}"
        role = f"mlworkflow-{self.role}"
        return f"kubectl create rolebinding {role} -n {operator_namespace} --role={role} {subject}"


def _workflows(*verbs: str) -> tuple[Permission, ...]:
    return tuple(Permission(verb, GROUP, PLURAL) for verb in verbs)


_TOKEN = Permission("create", "", "serviceaccounts", "token")


def _gateway(verb: str) -> Permission:
    return Permission(verb, "", "services", "proxy", of_operator=True)


NEEDS = (
    Need("list, get, watch, top", _workflows("get", "list", "watch"), "mlworkflow-view", is_essential=True),
    Need("submit", _workflows("create"), "mlworkflow-edit"),
    Need("stop, suspend, resume, approve, retry", _workflows("patch"), "mlworkflow-edit"),
    Need("delete", _workflows("delete"), "mlworkflow-edit"),
    Need("logs of what runs, top", (Permission("get", "", "pods", "log"), Permission("list", "", "pods")), "view"),
    Need("a token to read artifacts", (_TOKEN,), "edit"),
    Need("download, artifacts, lineage, diff, verify", (_gateway("get"),), "artifact-reader"),
    Need("dataset add, models promote", (_gateway("update"),), "dataset-writer"),
)
"""Commands, what they need in their namespace and of the gateway, and who has it."""

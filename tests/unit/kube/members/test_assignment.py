"""What belongs together, and so to one member."""

from __future__ import annotations

import pytest
from mlworkflow.engine.sharing import NO_LIMITS, Limits
from mlworkflow.kube.members.assignment import EVERYTHING, Alone, scheme, shard
from mlworkflow.kube.members.leases import Identity, lease, sighting
from mlworkflow.kube.members.membership import NOBODY, Terms

from tests.builders import WorkflowBuilder, a_workflow

PLAIN = a_workflow().step("a")


@pytest.mark.parametrize(
    ("builder", "limits", "expected"),
    [
        (PLAIN, NO_LIMITS, "uid-1"),
        (PLAIN.having(locks=["gpu"]), NO_LIMITS, "namespace/default"),
        (a_workflow().step("a", locks=["gpu"]), NO_LIMITS, "namespace/default"),
        (PLAIN, Limits(namespace=3), "namespace/default"),
        (PLAIN, Limits(namespaces={"default": 3}), "namespace/default"),
        (PLAIN, Limits(namespaces={"other": 3}), "uid-1"),
        (PLAIN.having(locks=["gpu"]), Limits(total=9, namespace=3), EVERYTHING),
    ],
)
def test_what_shares_something_is_one_shard(builder: WorkflowBuilder, limits: Limits, expected: str) -> None:
    assert shard(builder.resource(), limits) == expected


def test_members_with_other_limits_are_of_another_scheme() -> None:
    schemes = {
        scheme(limits) for limits in (NO_LIMITS, Limits(total=1), Limits(namespace=1), Limits(namespaces={"a": 1}))
    }
    assert len(schemes) == 4
    assert scheme(Limits(namespaces={"a": 1, "b": 2})) == scheme(Limits(namespaces={"b": 2, "a": 1}))


def test_who_is_alone_owns_everything() -> None:
    assert Alone().owns("anything")


def test_a_lease_says_what_its_member_is() -> None:
    me = Identity("pod-1", "pod-1_x", "system", "release", "http://10.0.0.1:8080", "pod-uid")
    made = lease(me, "s", "2026-01-01T00:00:00.000000Z", frozenset(["pod-1", "pod-2"]), 1_764_000_000.25, Terms())
    assert made["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Pod", "name": "pod-1", "uid": "pod-uid"}
    ]
    assert made["spec"]["renewTime"] == "2025-11-24T16:00:00.250000Z"
    made["metadata"]["resourceVersion"] = "7"
    seen = sighting(made)
    assert (seen.name, seen.version, seen.view, seen.address) == (
        "pod-1",
        "7",
        {"pod-1", "pod-2"},
        "http://10.0.0.1:8080",
    )
    assert seen.is_here
    made["spec"]["holderIdentity"] = ""
    made["metadata"]["annotations"] = {}
    assert (sighting(made).view, sighting(made).is_here) == (NOBODY, False)

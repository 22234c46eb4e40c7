"""The roles hold exactly these verbs, and nobody but these gets them."""

import pytest

OPERATOR = {
    ("mlworkflow.io", "mlworkflows"): {"get", "list", "watch", "delete"},
    ("mlworkflow.io", "mlworkflows/status"): {"patch"},
    ("", "pods"): {"get", "list", "watch", "create", "delete"},
    ("", "pods/log"): {"get"},
    ("", "events"): {"create"},
}
SUBJECT = {"kind": "ServiceAccount", "name": "rel-mlworkflow", "namespace": "ml"}


def granted(role):
    """(group, resource) → verbs; a rule may not say the same pair twice."""
    found = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                assert (group, resource) not in found
                found[group, resource] = set(rule["verbs"])
    return found


def test_the_operator_everywhere(render):
    manifests = render()
    assert granted(manifests.one("ClusterRole", "rel-mlworkflow:ml")) == OPERATOR
    binding = manifests.one("ClusterRoleBinding", "rel-mlworkflow:ml")
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "rel-mlworkflow:ml",
    }
    assert binding["subjects"] == [SUBJECT]
    assert not manifests.of_kind("RoleBinding")


def test_the_operator_in_watched_namespaces_has_nothing_elsewhere(render):
    manifests = render({"watchNamespaces": ["team-a", "team-b"]})
    for namespace in ("team-a", "team-b"):
        (role,) = [found for found in manifests.of_kind("Role") if found["metadata"]["namespace"] == namespace]
        (binding,) = [
            found for found in manifests.of_kind("RoleBinding") if found["metadata"]["namespace"] == namespace
        ]
        assert granted(role) == OPERATOR
        assert binding["roleRef"] == {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": role["metadata"]["name"],
        }
        assert binding["subjects"] == [SUBJECT]
    assert [found["metadata"]["name"] for found in manifests.of_kind("ClusterRoleBinding")] == [
        "rel-mlworkflow:ml:token-issuer"
    ]
    assert {found["metadata"]["name"] for found in manifests.of_kind("ClusterRole")} == {
        "mlworkflow-edit",
        "mlworkflow-view",
    }


def test_the_operator_may_read_the_cluster_s_published_keys(render):
    binding = render().one("ClusterRoleBinding", "rel-mlworkflow:ml:token-issuer")
    assert binding["roleRef"]["name"] == "system:service-account-issuer-discovery"
    assert binding["subjects"] == [SUBJECT]


def test_people(render):
    manifests = render()
    edit, view = manifests.one("ClusterRole", "mlworkflow-edit"), manifests.one("ClusterRole", "mlworkflow-view")
    everything = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    assert granted(edit) == {("mlworkflow.io", "mlworkflows"): everything}
    assert granted(view) == {("mlworkflow.io", "mlworkflows"): {"get", "list", "watch"}}
    assert aggregated(edit) == {"aggregate-to-admin", "aggregate-to-edit"}
    assert aggregated(view) == {"aggregate-to-view"}


def aggregated(role):
    prefix = "rbac.authorization.k8s.io/"
    return {
        label.removeprefix(prefix)
        for label, value in role["metadata"]["labels"].items()
        if label.startswith(prefix) and value == "true"
    }


@pytest.mark.parametrize("watched", [[], ["team-a"]])
@pytest.mark.parametrize(
    ("registry", "is_granted"),
    [({}, False), ({"pullSecrets": True}, True), ({"pullSecrets": True, "enabled": False}, False)],
)
def test_secrets_are_read_where_that_was_asked_for_and_nowhere_else(render, watched, registry, is_granted):
    manifests = render({"watchNamespaces": watched, "images": {"registry": registry}})
    roles = [*manifests.of_kind("Role"), *manifests.of_kind("ClusterRole")]
    rules = [rule for role in roles for rule in role["rules"] if "secrets" in rule["resources"]]
    assert rules == ([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}] if is_granted else [])


def test_the_artifact_reader_reaches_the_gateway_and_nothing_else(render):
    role = render().one("Role", "rel-mlworkflow-artifact-reader")
    assert role["metadata"]["namespace"] == "ml"
    (rule,) = role["rules"]
    assert (rule["apiGroups"], rule["resources"], rule["verbs"]) == ([""], ["services/proxy"], ["get", "delete"])
    assert all("rel-mlworkflow-gateway" in name.split(":") for name in rule["resourceNames"])
    assert "http:rel-mlworkflow-gateway:http" in rule["resourceNames"]


def test_who_adds_datasets_may_send_them_to_the_gateway_and_no_more(render):
    manifests = render()
    (rule,) = manifests.one("Role", "rel-mlworkflow-dataset-writer")["rules"]
    (reader,) = manifests.one("Role", "rel-mlworkflow-artifact-reader")["rules"]
    assert rule == {**reader, "verbs": ["get", "update"]}


@pytest.mark.parametrize(
    ("values", "left"),
    [
        ({"rbac": {"create": False}}, {"mlworkflow-edit", "mlworkflow-view"}),
        ({"rbac": {"create": False, "aggregate": False}}, set()),
    ],
)
def test_roles_can_be_left_to_others(render, values, left):
    manifests = render(values)
    kinds = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    assert {found["metadata"]["name"] for kind in kinds for found in manifests.of_kind(kind)} == left


def test_releases_in_two_namespaces_do_not_meet(render):
    def names(manifests):
        kinds = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition")
        return {found["metadata"]["name"] for kind in kinds for found in manifests.of_kind(kind)}

    second = {"crds": {"install": False}, "rbac": {"aggregate": False}}
    assert not names(render()) & names(render(second, namespace="other"))


def test_every_namespaced_object_says_its_namespace(render, values):
    for manifest in render(values):
        if not manifest["kind"].startswith(("Cluster", "Custom", "ValidatingAdmission")):
            assert manifest["metadata"]["namespace"]


def test_several_operators_have_leases_in_their_own_namespace_alone(render):
    manifests = render({"operator": {"replicas": 2}})
    role = manifests.one("Role", "rel-mlworkflow-members")
    assert role["metadata"]["namespace"] == "ml"
    assert granted(role) == {("coordination.k8s.io", "leases"): {"get", "list", "create", "patch", "delete"}}
    assert manifests.one("RoleBinding", "rel-mlworkflow-members")["subjects"] == [SUBJECT]
    assert granted(manifests.one("ClusterRole", "rel-mlworkflow:ml")) == OPERATOR

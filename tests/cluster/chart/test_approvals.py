"""Who approved cannot be forged: the policy that the chart installs, its conditions evaluated as the API server does."""

from typing import Any

import cel
import pytest

JANE = "jane@example.com"


def decision(by: Any = JANE, **fields: Any) -> dict[str, Any]:
    return {"approved": True, "by": by, "comment": "", "inputs": {}, **fields}


def workflow(approvals: Any = None) -> dict[str, Any]:
    spec: dict[str, Any] = {"steps": [{"name": "ask"}]}
    return {"spec": spec if approvals is None else {**spec, "approvals": approvals}}


def admits(policy: dict[str, Any], new: dict[str, Any], old: dict[str, Any] | None, user: str = JANE) -> bool:
    """What the API server would answer, an error in an expression being a no."""
    spec = policy["spec"]
    names = {"object": new, "oldObject": old, "request": {"userInfo": {"username": user}}}
    if not all(cel.evaluate(condition["expression"], names) for condition in spec["matchConditions"]):
        return True
    found = {variable["name"]: cel.evaluate(variable["expression"], names) for variable in spec["variables"]}
    names["variables"] = found
    try:
        return all(cel.evaluate(validation["expression"], names) for validation in spec["validations"])
    except Exception:  # whatever the evaluator raises: failurePolicy is Fail
        assert spec["failurePolicy"] == "Fail"
        return False


@pytest.fixture
def policy(render):
    return render().one("ValidatingAdmissionPolicy")


@pytest.mark.parametrize(
    ("new", "old", "admitted"),
    [
        (workflow(), None, True),
        (workflow({}), None, True),
        (workflow(), workflow(), True),
        ({"spec": {}}, {"metadata": {}}, True),
        (workflow({"ask": decision()}), workflow(), True),
        (workflow({"ask": decision()}), None, True),
        (workflow({"ask": decision("bob")}), workflow(), False),
        (workflow({"ask": decision("bob")}), None, False),
        (workflow({"ask": decision("")}), workflow(), False),
        (workflow({"ask": {"approved": True}}), workflow(), False),
        (workflow({"ask": decision(None)}), workflow(), False),
        (workflow({"ask": decision(["jane@example.com"])}), workflow(), False),
        (workflow({"ask": "yes"}), workflow(), False),
        (workflow({"ask": decision("bob")}), workflow({"ask": decision("bob")}), True),
        (workflow({"ask": decision("bob", approved=False)}), workflow({"ask": decision("bob")}), False),
        (workflow({"ask": decision("bob", comment="x")}), workflow({"ask": decision("bob")}), False),
        (workflow({"ask": decision("bob", inputs={"a": 2})}), workflow({"ask": decision("bob", inputs={"a": 1})}), False),
        (workflow({"ask": decision("bob", inputs={"a": [1, {"b": 2}]})}), workflow({"ask": decision("bob", inputs={"a": [1, {"b": 2}]})}), True),
        (workflow({"ask": decision()}), workflow({"ask": decision("bob")}), True),
        (workflow(), workflow({"ask": decision("bob")}), True),
        (workflow({}), workflow({"ask": decision("bob")}), True),
        (workflow({"ask": decision("bob"), "two": decision()}), workflow({"ask": decision("bob")}), True),
        (workflow({"ask": decision("bob"), "two": decision("bob")}), workflow({"ask": decision("bob")}), False),
        (workflow({"two": decision("bob")}), workflow({"ask": decision("bob")}), False),
    ],
    ids=[
        "no approvals at all", "none on create", "none on update", "no spec before", "one's own", "one's own on create", "another's", "another's on create", "nobody's",
        "no author", "null", "a list", "no object", "another's stays", "another's is turned round", "another's words are changed", "another's inputs are changed",
        "another's inputs stay", "another's is replaced by one's own", "another's goes", "the last one goes", "one's own beside another's",
        "a forged one beside another's", "another's is moved to another step",
    ],
)  # fmt: skip
def test_a_decision_bears_the_name_of_who_writes_it(policy, new, old, admitted):
    assert admits(policy, new, old) is admitted


def test_the_refusal_says_who_one_is(policy):
    (validation,) = policy["spec"]["validations"]
    said = cel.evaluate(validation["messageExpression"], {"request": {"userInfo": {"username": JANE}}})
    assert said.startswith("spec.approvals: ")
    assert f"'{JANE}'" in said
    assert validation["reason"] == "Forbidden"


def test_every_write_of_a_workflow_is_looked_at_and_no_status(policy):
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert rule == {
        "apiGroups": ["mlworkflow.io"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["mlworkflows"],
        "scope": "Namespaced",
    }


def test_it_is_bound_and_denies(render, policy):
    binding = render().one("ValidatingAdmissionPolicyBinding")
    assert binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}


def test_an_operator_of_some_namespaces_speaks_for_these_alone(render):
    binding = render({"watchNamespaces": ["team-a", "team-b"]}).one("ValidatingAdmissionPolicyBinding")
    (expression,) = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
    assert expression == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team-a", "team-b"]}


def test_it_can_be_left_out(render):
    manifests = render({"approvals": {"verifyAuthor": False}})
    assert not manifests.of_kind("ValidatingAdmissionPolicy")
    assert not manifests.of_kind("ValidatingAdmissionPolicyBinding")


def test_a_cluster_that_is_too_old_for_it_is_told_so(helm, refused, chart):
    arguments = ("template", "rel", str(chart), "--namespace", "ml", "--kube-version", "1.29.4")
    with pytest.raises(refused, match=r"approvals.verifyAuthor needs Kubernetes 1.30"):
        helm(*arguments)
    assert "ValidatingAdmissionPolicy" not in helm(*arguments, "--set", "approvals.verifyAuthor=false")


def test_releases_in_two_namespaces_have_policies_of_their_own(render):
    names = {render(namespace=namespace).one("ValidatingAdmissionPolicy")["metadata"]["name"] for namespace in "ab"}
    assert len(names) == 2
    assert all(name == name.lower() and ":" not in name for name in names), "a DNS name, unlike a role's"

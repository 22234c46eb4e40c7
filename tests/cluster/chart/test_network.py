"""NetworkPolicies: who may call whom. That they do what they say is seen where they are enforced: `tests/cluster/test_network_policies.py`."""

import re

import pytest

OWN = {"app.kubernetes.io/name": "mlworkflow", "app.kubernetes.io/instance": "rel"}
STEPS = {"podSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "mlworkflow"}}}
DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
ON = {"networkPolicy": {"enabled": True}}
EXTERNAL = {"server": "external", "external": {"url": "https://s3.example.com"}}


METRICS = {"ports": [{"protocol": "TCP", "port": 8082}]}


def own(component):
    return {"matchLabels": {**OWN, "app.kubernetes.io/component": component}}


def policy(manifests, name):
    return manifests.one("NetworkPolicy", name)["spec"]


def tcp(*ports):
    return [{"protocol": "TCP", "port": port} for port in ports]


def test_there_are_none_unless_asked_for(render):
    assert not render().of_kind("NetworkPolicy")


def test_to_the_gateway_come_steps_of_all_namespaces_and_nobody_else(render):
    found = policy(render(ON), "rel-mlworkflow")
    assert found["podSelector"] == own("operator")
    assert found["policyTypes"] == ["Ingress", "Egress"]
    assert found["ingress"] == [{"from": [{**STEPS, "namespaceSelector": {}}], "ports": tcp(8080)}, METRICS]


def test_only_of_the_namespaces_that_are_served(render):
    manifests = render({**ON, "watchNamespaces": ["team-a", "team-b"]})
    values = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team-a", "team-b"]}
    steps = {**STEPS, "namespaceSelector": {"matchExpressions": [values]}}
    assert policy(manifests, "rel-mlworkflow")["ingress"] == [{"from": [steps], "ports": tcp(8080)}, METRICS]
    store = policy(manifests, "rel-mlworkflow-minio")
    assert store["ingress"] == [{"from": [{"podSelector": own("operator")}, steps], "ports": tcp(9000)}]


@pytest.mark.parametrize("server", ["minio", "seaweedfs"])
def test_the_operator_calls_names_the_store_and_the_api_server(render, server):
    manifests = render({**ON, "store": {"server": server}})
    store = {
        "podSelector": own(server),
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ml"}},
    }
    assert policy(manifests, "rel-mlworkflow")["egress"] == [
        DNS,
        {"to": [store], "ports": tcp(9000)},
        {"ports": tcp(443, 6443)},
    ]
    assert policy(manifests, f"rel-mlworkflow-{server}")["egress"] == []


def test_several_operators_ask_each_other(render):
    found = policy(render({**ON, "operator": {"replicas": 2}}), "rel-mlworkflow")
    assert {"podSelector": own("operator")} in found["ingress"][0]["from"]
    assert {"to": [{"podSelector": own("operator")}], "ports": tcp(8080)} in found["egress"]


def test_the_api_server_is_known_by_its_addresses(render):
    server = {"cidrs": ["10.0.0.1/32", "fd00::1/128"], "ports": [6443]}
    found = policy(render({"networkPolicy": {"enabled": True, "apiServer": server}}), "rel-mlworkflow")
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in server["cidrs"]]
    assert found["egress"][-1] == {"to": blocks, "ports": tcp(6443)}
    assert found["ingress"][0]["from"][1:] == blocks, "people come from there"


@pytest.mark.parametrize(
    ("url", "port"),
    [("https://s3.example.com", 443), ("http://minio.local", 80), ("https://minio.local:9443", 9443)],
)
def test_an_external_store_is_known_by_its_port(render, url, port):
    manifests = render({**ON, "store": {"server": "external", "external": {"url": url}}})
    assert {"ports": tcp(port)} in policy(manifests, "rel-mlworkflow")["egress"]
    assert len(manifests.of_kind("NetworkPolicy")) == 1


def test_the_users_rules_are_added(render):
    rule = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": tcp(8443)}
    entry = {"from": [{"namespaceSelector": {}}], "ports": tcp(8081)}
    given = {"enabled": True, "operatorEgress": [rule], "operatorIngress": [entry], "storeIngress": [entry]}
    manifests = render({"networkPolicy": given})
    assert policy(manifests, "rel-mlworkflow")["egress"][-1] == rule
    assert policy(manifests, "rel-mlworkflow")["ingress"][-1] == entry
    assert policy(manifests, "rel-mlworkflow-minio")["ingress"][-1] == entry


def test_steps_call_the_gateway_the_store_and_names(render):
    rule = {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}
    steps = {"enabled": True, "namespaces": ["a", "b"], "egress": [rule]}
    manifests = render({"networkPolicy": {"steps": steps}})
    assert {found["metadata"]["namespace"] for found in manifests.of_kind("NetworkPolicy")} == {"a", "b"}
    here = {"matchLabels": {"kubernetes.io/metadata.name": "ml"}}
    for found in manifests.of_kind("NetworkPolicy"):
        assert found["spec"] == {
            "podSelector": STEPS["podSelector"],
            "policyTypes": ["Egress"],
            "egress": [
                DNS,
                {"to": [{"podSelector": own("minio"), "namespaceSelector": here}], "ports": tcp(9000)},
                {"to": [{"podSelector": own("operator"), "namespaceSelector": here}], "ports": tcp(8080)},
                rule,
            ],
        }


def test_steps_of_the_watched_namespaces_unless_said_otherwise(render, refused):
    manifests = render({"watchNamespaces": ["team-a"], "networkPolicy": {"steps": {"enabled": True}}})
    assert [found["metadata"]["namespace"] for found in manifests.of_kind("NetworkPolicy")] == ["team-a"]
    with pytest.raises(refused, match=re.escape("say for which namespaces")):
        render({"networkPolicy": {"steps": {"enabled": True}}})


def test_every_selector_selects_what_the_chart_makes(render):
    manifests = render({"networkPolicy": {"enabled": True}})
    labels = [pod["metadata"]["labels"] for pod in manifests.pods().values()]
    for found in manifests.of_kind("NetworkPolicy"):
        wanted = found["spec"]["podSelector"]["matchLabels"].items()
        assert [each for each in labels if wanted <= each.items()]

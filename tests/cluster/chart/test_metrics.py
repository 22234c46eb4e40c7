"""What Prometheus and Grafana are given."""

import json

import yaml

ALL = {"metrics": {part: {"enabled": True} for part in ("serviceMonitor", "rules", "dashboard")}}


def test_a_service_of_its_own_leads_to_the_operator_whether_ready_or_not(render):
    service = render().one("Service", "rel-mlworkflow-metrics")
    assert service["spec"]["selector"]["app.kubernetes.io/component"] == "operator"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert [port["port"] for port in service["spec"]["ports"]] == [8082]


def test_nothing_that_needs_other_operators_unless_asked_for(render):
    assert {"ServiceMonitor", "PrometheusRule"}.isdisjoint(manifest["kind"] for manifest in render())


def test_the_monitor_finds_the_service(render):
    found = render({"metrics": {"serviceMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "prom"}}}})
    monitor, service = found.one("ServiceMonitor"), found.one("Service", "rel-mlworkflow-metrics")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"] == [{"port": "metrics", "path": "/metrics", "interval": "15s"}]
    assert monitor["metadata"]["labels"]["release"] == "prom"


def test_the_rules_and_the_dashboard_are_the_files(render, chart):
    found = render(ALL)
    assert found.one("PrometheusRule")["spec"] == yaml.safe_load((chart / "files/alerts.yaml").read_text())
    board = found.one("ConfigMap", "rel-mlworkflow-dashboard")
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(board["data"]["mlworkflow.json"]) == json.loads((chart / "files/dashboard.json").read_text())


def test_without_metrics_there_is_nothing_of_them(render):
    found = render({"metrics": {"enabled": False, **ALL["metrics"]}, "networkPolicy": {"enabled": True}})
    assert not [manifest for manifest in found if "metrics" in manifest["metadata"]["name"]]
    assert "8082" not in json.dumps(list(found))


def test_the_network_policy_says_who_may_scrape(render):
    peers = [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]
    found = render({"networkPolicy": {"enabled": True, "metricsFrom": peers}})
    rules = found.one("NetworkPolicy", "rel-mlworkflow")["spec"]["ingress"]
    assert {"ports": [{"protocol": "TCP", "port": 8082}], "from": peers} in rules


def test_traces_go_where_they_are_asked_for_and_nowhere_else(render):
    def variables(manifests):
        (container,) = manifests.one("Deployment", "rel-mlworkflow")["spec"]["template"]["spec"]["containers"]
        return {each["name"]: each.get("value") for each in container["env"] if each["name"].startswith("OTEL")}

    assert variables(render()) == {}
    found = render({"tracing": {"endpoint": "http://collector.monitoring:4318"}})
    assert variables(found) == {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.monitoring:4318"}

"""The operator's Deployment, its environment and its Service."""

import base64
import tomllib

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mlworkflow.engine.sharing import Limits
from mlworkflow.settings import Settings


def operator(manifests):
    return manifests.one("Deployment", "rel-mlworkflow")["spec"]


def container(manifests):
    return operator(manifests)["template"]["spec"]["containers"][0]


def environment(manifests):
    return {variable["name"]: variable["value"] for variable in container(manifests)["env"]}


def volume(manifests, name):
    return next(found for found in operator(manifests)["template"]["spec"]["volumes"] if found["name"] == name)


def test_there_is_never_more_than_one(render):
    manifests = render()
    spec = operator(manifests)
    assert not any(name.startswith("MLWF_MEMBER") for name in environment(manifests))
    assert not manifests.of_kind("PodDisruptionBudget")
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 15


def test_several_know_of_each_other_and_are_replaced_one_by_one(render):
    manifests = render({"operator": {"replicas": 3}})
    spec = operator(manifests)
    assert spec["replicas"] == 3
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    pod, selector = spec["template"]["spec"], spec["selector"]
    assert {
        variable["name"]: variable["valueFrom"]["fieldRef"]["fieldPath"]
        for variable in pod["containers"][0]["env"]
        if "valueFrom" in variable
    } == {
        "MLWF_MEMBER": "metadata.name",
        "MLWF_MEMBER_UID": "metadata.uid",
        "MLWF_MEMBER_NAMESPACE": "metadata.namespace",
        "MLWF_MEMBER_ADDRESS": "status.podIP",
    }
    (term,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"] == {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}
    assert pod["topologySpreadConstraints"][0]["labelSelector"] == selector
    assert manifests.one("PodDisruptionBudget")["spec"] == {"maxUnavailable": 1, "selector": selector}


def test_where_several_run_is_the_users_choice(render):
    given = {"nodeAffinity": {}}
    pod = operator(render({"operator": {"replicas": 2, "affinity": given}}))["template"]["spec"]
    assert pod["affinity"] == given


def test_probes_and_ports(render):
    found = container(render())
    assert {port["name"]: port["containerPort"] for port in found["ports"]} == {
        "gateway": 8080,
        "health": 8081,
        "metrics": 8082,
    }
    assert found["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert found["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
    assert found["resources"] == {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


def test_the_environment_by_default(render):
    assert environment(render()) == {
        "MLWF_NAMESPACES": "",
        "MLWF_GATEWAY_URL": "http://rel-mlworkflow-gateway.ml.svc:8080",
        "MLWF_GATEWAY_RATE": "100",
        "MLWF_GATEWAY_BURST": "2000",
        "MLWF_STORE_URL": "http://rel-mlworkflow-minio.ml.svc:9000",
        "MLWF_STORE_BUCKET": "mlworkflow",
        "MLWF_STORE_REGION": "us-east-1",
        "MLWF_STORE_PATH_STYLE": "auto",
        "MLWF_STORE_PATIENCE": "6h",
        "MLWF_STORE_KEYS": "/etc/mlworkflow/store-keys",
        "MLWF_STEPS_IMAGE": "ghcr.io/mlworkflow/steps:0.1.0",
        "MLWF_AGENT_IMAGE": "ghcr.io/mlworkflow/agent:0.1.0",
        "MLWF_IMAGE_PULL_POLICY": "IfNotPresent",
        "MLWF_WEBHOOK_KEY": "/etc/mlworkflow/webhook-key/key",
        "MLWF_SIGNING_KEY": "/etc/mlworkflow/signing-key/key",
        "MLWF_GC_ENABLED": "true",
        "MLWF_GC_INTERVAL": "24h",
        "MLWF_GC_GRACE": "24h",
        "MLWF_RETENTION_RUNS": "90d",
        "MLWF_RETENTION_CACHE": "30d",
        "MLWF_RETENTION_MODELS": "",
        "MLWF_REGISTRY_ENABLED": "true",
        "MLWF_REGISTRY_PULL_SECRETS": "false",
        "MLWF_PARALLELISM": "0",
        "MLWF_NAMESPACE_PARALLELISM": "0",
        "MLWF_METRICS_PORT": "8082",
        "MLWF_WORKERS": "16",
        "MLWF_LOG_LEVEL": "info",
        "MLWF_LOG_FORMAT": "text",
        "MLWF_EVENTS": "true",
    }


def test_how_long_steps_wait_for_the_store_reaches_the_operator(render):
    assert environment(render({"store": {"patience": "2d"}}))["MLWF_STORE_PATIENCE"] == "2d"


def test_the_limits_on_pods_reach_the_operator(render):
    limits = {"total": 50, "namespace": 10, "namespaces": {"team-a": 20, "team-b": 5}}
    found = environment(render({"parallelism": limits}))
    assert found["MLWF_PARALLELISM"] == "50"
    assert found["MLWF_NAMESPACE_PARALLELISM"] == "10"
    read = Settings.read({**found, "MLWF_STORE_KEYS": ""})
    assert read.limits == Limits(total=50, namespace=10, namespaces={"team-a": 20, "team-b": 5})


def test_the_environment_of_an_external_store(render):
    manifests = render(
        {
            "watchNamespaces": ["team-a", "team-b"],
            "operator": {
                "allowedImports": ["sklearn.", "company.models."],
                "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://p"}],
            },
            "store": {
                "server": "external",
                "external": {"url": "https://s3.example.com"},
                "region": "eu-west-1",
                "pathStyle": "virtual",
                "existingSecret": "keys",
                "ca": {"secret": "ca", "key": "root.pem"},
            },
        }
    )
    wanted = {
        "MLWF_NAMESPACES": "team-a,team-b",
        "MLWF_STORE_URL": "https://s3.example.com",
        "MLWF_STORE_REGION": "eu-west-1",
        "MLWF_STORE_PATH_STYLE": "virtual",
        "MLWF_STORE_KEYS": "/etc/mlworkflow/store-keys",
        "MLWF_STORE_CA": "/etc/mlworkflow/store-ca/ca.crt",
        "MLWF_ALLOWED_IMPORTS": "sklearn.,company.models.",
        "HTTPS_PROXY": "http://p",
    }
    assert wanted.items() <= environment(manifests).items()
    assert volume(manifests, "store-keys")["secret"] == {
        "secretName": "keys",
        "items": [{"key": "access-key", "path": "access-key"}, {"key": "secret-key", "path": "secret-key"}],
    }
    assert volume(manifests, "store-ca")["secret"] == {
        "secretName": "ca",
        "items": [{"key": "root.pem", "path": "ca.crt"}],
    }
    assert not manifests.of_kind("StatefulSet") + manifests.of_kind("PersistentVolumeClaim")
    secrets = {found["metadata"]["name"] for found in manifests.of_kind("Secret")}
    assert secrets == {"rel-mlworkflow-signing", "rel-mlworkflow-webhooks"}


def test_a_cloud_identity_needs_no_keys(render):
    annotations = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/mlw"}
    manifests = render(
        {
            "store": {"server": "external", "external": {"url": "https://s3.eu-west-1.amazonaws.com"}},
            "serviceAccount": {"annotations": annotations},
        }
    )
    assert "MLWF_STORE_KEYS" not in environment(manifests)
    assert manifests.one("ServiceAccount")["metadata"]["annotations"] == annotations


def test_the_key_of_webhooks_is_made_and_mounted_as_a_file(render):
    manifests = render()
    secret = manifests.one("Secret", "rel-mlworkflow-webhooks")
    assert len(base64.b64decode(secret["data"]["key"])) == 48
    mounted = volume(manifests, "webhook-key")["secret"]
    assert mounted == {"secretName": "rel-mlworkflow-webhooks", "items": [{"key": "key", "path": "key"}]}
    folder = environment(manifests)["MLWF_WEBHOOK_KEY"].rpartition("/")[0]
    assert {"name": "webhook-key", "mountPath": folder, "readOnly": True} in container(manifests)["volumeMounts"]
    other = render({"operator": {"workers": 17}}).one("Secret", "rel-mlworkflow-webhooks")
    assert other["data"] != secret["data"]


def test_the_key_that_runs_are_signed_with_is_made_and_only_the_operator_has_it(render):
    manifests = render()
    secret = manifests.one("Secret", "rel-mlworkflow-signing")
    key = serialization.load_pem_private_key(base64.b64decode(secret["data"]["key"]), None)
    assert isinstance(key.curve, ec.SECP256R1)
    assert volume(manifests, "signing-key")["secret"] == {"secretName": "rel-mlworkflow-signing"}
    folder = environment(manifests)["MLWF_SIGNING_KEY"].rpartition("/")[0]
    assert {"name": "signing-key", "mountPath": folder, "readOnly": True} in container(manifests)["volumeMounts"]
    others = [pod for name, pod in manifests.pods().items() if name != "rel-mlworkflow"]
    assert "rel-mlworkflow-signing" not in str(others)


def test_the_users_own_key_to_sign_with_is_used(render):
    manifests = render({"provenance": {"existingSecret": "mine"}})
    assert "rel-mlworkflow-signing" not in {found["metadata"]["name"] for found in manifests.of_kind("Secret")}
    assert volume(manifests, "signing-key")["secret"]["secretName"] == "mine"


def test_openlineage_is_off_by_default_and_reaches_the_operator(render):
    given = {"url": "https://marquez.example.com", "existingSecret": "marquez", "namespace": "prod"}
    manifests = render({"openlineage": given})
    found = environment(manifests)
    assert found["MLWF_OPENLINEAGE_KEY"] == "/etc/mlworkflow/openlineage-key/key"
    assert volume(manifests, "openlineage-key")["secret"] == {
        "secretName": "marquez",
        "items": [{"key": "api-key", "path": "key"}],
    }
    read = Settings.read({**found, "MLWF_STORE_KEYS": ""}).openlineage
    assert (str(read.url), read.namespace) == ("https://marquez.example.com/api/v1/lineage", "prod")
    assert not any(name.startswith("MLWF_OPENLINEAGE") for name in environment(render()))


def test_mlflow_is_off_by_default_and_reaches_the_operator(render):
    given = {"trackingUri": "https://mlflow.example.com", "existingSecret": "mlflow", "experiment": "all"}
    manifests = render({"mlflow": given})
    found = environment(manifests)
    assert volume(manifests, "mlflow-keys")["secret"] == {"secretName": "mlflow"}
    read = Settings.read({**found, "MLWF_STORE_KEYS": ""})
    assert (read.mlflow.url, str(read.mlflow.keys)) == ("https://mlflow.example.com", "/etc/mlworkflow/mlflow")
    assert read.mlflow_experiment == "all"
    assert not any(name.startswith("MLWF_MLFLOW") for name in environment(render()))


def test_the_users_own_key_of_webhooks_is_used(render):
    manifests = render({"webhooks": {"existingSecret": "mine"}})
    assert "rel-mlworkflow-webhooks" not in {found["metadata"]["name"] for found in manifests.of_kind("Secret")}
    assert volume(manifests, "webhook-key")["secret"]["secretName"] == "mine"


def test_hosts_that_webhooks_may_call(render):
    assert "MLWF_WEBHOOK_ALLOWED_HOSTS" not in environment(render())
    found = environment(render({"webhooks": {"allowedHosts": ["localhost", "hooks.local"]}}))
    assert found["MLWF_WEBHOOK_ALLOWED_HOSTS"] == "localhost,hooks.local"


def test_how_registries_are_asked(render):
    found = environment(render({"images": {"registry": {"insecure": ["a:5000", "b"], "pullSecrets": True}}}))
    assert found["MLWF_REGISTRY_INSECURE"] == "a:5000,b"
    assert found["MLWF_REGISTRY_PULL_SECRETS"] == "true"
    assert environment(render({"images": {"registry": {"enabled": False}}}))["MLWF_REGISTRY_ENABLED"] == "false"


def test_the_gateway_is_a_service(render):
    service = render().one("Service", "rel-mlworkflow-gateway")
    assert service["spec"]["ports"] == [{"name": "http", "port": 8080, "targetPort": "gateway", "appProtocol": "http"}]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "ghcr.io/mlworkflow/operator:0.1.0"),
        ({"tag": "main"}, "ghcr.io/mlworkflow/operator:main"),
        ({"repository": "r/o", "tag": "main", "digest": "sha256:" + "a" * 64}, "r/o@sha256:" + "a" * 64),
    ],
)
def test_the_image_is_the_digest_the_tag_or_the_version(render, image, expected):
    assert container(render({"operator": {"image": image}}))["image"] == expected


def test_an_existing_service_account_is_used(render):
    manifests = render({"serviceAccount": {"create": False, "name": "mine"}})
    assert not manifests.of_kind("ServiceAccount")
    assert operator(manifests)["template"]["spec"]["serviceAccountName"] == "mine"
    subjects = [binding["subjects"] for binding in manifests.of_kind("ClusterRoleBinding")]
    assert subjects == [[{"kind": "ServiceAccount", "name": "mine", "namespace": "ml"}]] * 2


def test_the_chart_has_the_version_of_the_package(chart):
    meta = yaml.safe_load((chart / "Chart.yaml").read_text())
    project = tomllib.loads((chart.parents[1] / "pyproject.toml").read_text())["project"]
    assert meta["appVersion"] == meta["version"] == project["version"]

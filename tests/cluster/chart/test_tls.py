"""TLS: the gateway's certificate, and the authorities that the operator and the steps trust."""

import base64
import re

import pytest
from cryptography import x509
from mlworkflow.settings import Settings

ON = {"gateway": {"tls": {"enabled": True}}}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def operator(manifests):
    return manifests.one("Deployment", "rel-mlworkflow")["spec"]["template"]["spec"]


def container(manifests):
    return operator(manifests)["containers"][0]


def environment(manifests):
    return {variable["name"]: variable["value"] for variable in container(manifests)["env"]}


def volume(manifests, name):
    return next(found for found in operator(manifests)["volumes"] if found["name"] == name)


def external(**more):
    return {"server": "external", "external": {"url": "https://s3.example.com", **more}}


def test_the_gateway_speaks_tls_with_a_certificate_of_its_own(render):
    manifests = render(ON)
    found = environment(manifests)
    assert found["MLWF_GATEWAY_URL"] == "https://rel-mlworkflow-gateway.ml.svc:8080"
    assert Settings.read({**found, "MLWF_STORE_KEYS": ""}).gateway_tls == "/etc/mlworkflow/gateway-tls"
    assert volume(manifests, "gateway-tls")["secret"] == {"secretName": "rel-mlworkflow-gateway-tls"}
    assert {"name": "gateway-tls", "mountPath": "/etc/mlworkflow/gateway-tls", "readOnly": True} in container(
        manifests
    )["volumeMounts"]
    (port,) = manifests.one("Service", "rel-mlworkflow-gateway")["spec"]["ports"]
    assert (port["name"], port["appProtocol"], port["port"]) == ("https", "https", 8080)
    others = [pod for name, pod in manifests.pods().items() if name != "rel-mlworkflow"]
    assert "gateway-tls" not in str(others)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("", ["rel-mlworkflow-gateway.ml", "rel-mlworkflow-gateway.ml.svc", "rel-mlworkflow-gateway.ml.svc.cluster.local"]),
        ("https://gateway.example.com:8443", ["gateway.example.com"]),
    ],
)  # fmt: skip
def test_the_certificate_is_of_the_gateways_names_and_its_authority_comes_with_it(render, url, hosts):
    secret = render({"gateway": {"url": url, "tls": {"enabled": True}}}).one("Secret", "rel-mlworkflow-gateway-tls")
    assert secret["type"] == "kubernetes.io/tls"
    authority, made = (
        x509.load_pem_x509_certificate(base64.b64decode(secret["data"][name])) for name in ("ca.crt", "tls.crt")
    )
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(hosts) <= set(names.get_values_for_type(x509.DNSName))
    made.verify_directly_issued_by(authority)


def test_the_users_certificate_is_used_and_none_is_made(render):
    manifests = render({"gateway": {"tls": {"enabled": True, "existingSecret": "mine"}}})
    assert "rel-mlworkflow-gateway-tls" not in {found["metadata"]["name"] for found in manifests.of_kind("Secret")}
    assert volume(manifests, "gateway-tls")["secret"] == {"secretName": "mine"}


def test_without_it_nothing_is_made(render):
    manifests = render()
    assert "MLWF_GATEWAY_TLS" not in environment(manifests)
    assert "gateway-tls" not in str(list(manifests))


def test_readers_may_ask_for_it_by_either_scheme(render):
    for values, name in ((ON, "https:rel-mlworkflow-gateway:https"), ({}, "rel-mlworkflow-gateway:http")):
        (rule,) = render(values).one("Role", "rel-mlworkflow-artifact-reader")["rules"]
        assert name in rule["resourceNames"]
        assert "rel-mlworkflow-gateway:http" in rule["resourceNames"], "by which a reader finds out"


def test_the_stores_authorities_may_stand_in_the_values(render):
    manifests = render({"store": external(caBundle=PEM)})
    assert manifests.one("ConfigMap", "rel-mlworkflow-store-ca")["data"] == {"ca.crt": PEM}
    assert volume(manifests, "store-ca")["configMap"] == {
        "name": "rel-mlworkflow-store-ca",
        "items": [{"key": "ca.crt", "path": "ca.crt"}],
    }
    assert environment(manifests)["MLWF_STORE_CA"] == "/etc/mlworkflow/store-ca/ca.crt"


@pytest.mark.parametrize(
    ("store", "iam"),
    [
        (external(), False),
        (external(auth="iam"), True),
        ({**external(auth="static"), "existingSecret": "keys"}, False),
    ],
)
def test_how_the_operator_proves_who_it_is(render, store, iam):
    found = environment(render({"store": store}))
    assert Settings.read({**found, "MLWF_STORE_KEYS": ""}).store_cloud is iam
    assert ("MLWF_STORE_KEYS" in found) == ("existingSecret" in store)


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (external(auth="static"), "name a Secret with the keys access-key and secret-key in store.existingSecret"),
        ({**external(auth="iam"), "existingSecret": "keys"}, "take store.existingSecret away"),
        ({"external": {"auth": "iam"}}, "store.server is minio, which takes keys"),
        ({**external(caBundle=PEM), "ca": {"secret": "a"}}, "set either store.external.caBundle or store.ca"),
        (external(caBundle="nonsense"), "caBundle"),
        (external(auth="kerberos"), "auth"),
    ],
)
def test_what_does_not_go_together_is_said(render, refused, store, said):
    with pytest.raises(refused, match=re.escape(said)):
        render({"store": store})

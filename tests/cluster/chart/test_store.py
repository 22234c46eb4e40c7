"""The chart's own object stores: what listens, where keys are, what is kept."""

import base64
import json

import yaml

SEAWEEDFS = {"store": {"server": "seaweedfs"}}


def keys(manifests):
    return {
        key: base64.b64decode(value).decode()
        for key, value in manifests.one("Secret", "rel-mlworkflow-store")["data"].items()
    }


def statefulset(manifests):
    return manifests.one("StatefulSet")["spec"]["template"]["spec"]


def test_no_key_is_outside_a_secret(render, values):
    manifests = render(values)
    secrets = [
        base64.b64decode(value).decode() for found in manifests.of_kind("Secret") for value in found["data"].values()
    ]
    secrets += [value for found in manifests.of_kind("Secret") for value in found["data"].values()]
    rest = yaml.safe_dump([manifest for manifest in manifests if manifest["kind"] != "Secret"])
    assert not [secret for secret in secrets if secret in rest]


def test_no_environment_variable_takes_a_key_from_a_secret(render, values):
    for pod in render(values).pods().values():
        for container in pod["spec"]["containers"]:
            assert not [variable for variable in container["env"] if "secretKeyRef" in variable.get("valueFrom", {})]
            assert "envFrom" not in container


def test_generated_keys_are_long_and_new_each_time(render):
    found = keys(render())
    assert set(found) == {"access-key", "secret-key"}
    assert (len(found["access-key"]), len(found["secret-key"])) == (20, 40)
    other = keys(render({"store": {"region": "elsewhere"}}))
    assert not set(found.values()) & set(other.values())


def test_seaweedfs_knows_exactly_the_generated_identity(render):
    found = keys(render(SEAWEEDFS))
    (identity,) = json.loads(found["s3.json"])["identities"]
    assert identity["credentials"] == [{"accessKey": found["access-key"], "secretKey": found["secret-key"]}]


def test_the_users_secret_is_used_and_none_is_made(render):
    for server, made in (("minio", set()), ("seaweedfs", {"rel-mlworkflow-seaweedfs-tls"})):
        manifests = render({"store": {"server": server, "existingSecret": "mine"}})
        secrets = {found["metadata"]["name"] for found in manifests.of_kind("Secret")}
        assert secrets == {*made, "rel-mlworkflow-signing", "rel-mlworkflow-webhooks"}
        mounted = [
            volume
            for pod in manifests.pods().values()
            for volume in pod["spec"]["volumes"]
            if volume["name"] == "store-keys"
        ]
        assert [volume["secret"]["secretName"] for volume in mounted] == ["mine", "mine"]


def test_minio_reads_its_keys_from_files(render):
    container = statefulset(render())["containers"][0]
    assert container["image"] == "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"
    assert container["command"] == ["minio"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    assert environment["MINIO_ROOT_USER_FILE"] == "/etc/mlworkflow/store-keys/access-key"
    assert environment["MINIO_ROOT_PASSWORD_FILE"] == "/etc/mlworkflow/store-keys/secret-key"


def test_seaweedfs_shows_the_network_nothing_but_s3(render):
    manifests = render(SEAWEEDFS)
    container = statefulset(manifests)["containers"][0]
    assert container["image"] == "docker.io/chrislusf/seaweedfs:4.48"
    assert container["command"] == ["weed"]
    wanted = {
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3.ip.bind=0.0.0.0",
        "-s3.port=9000",
        "-s3.iam=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
    }
    assert wanted <= set(container["args"])
    # The gRPC port beside S3 takes identities from anyone who has a client certificate of this authority: nobody.
    assert "[grpc.s3]" in manifests.one("ConfigMap")["data"]["security.toml"]
    assert set(manifests.one("Secret", "rel-mlworkflow-seaweedfs-tls")["data"]) == {"tls.crt", "tls.key"}


def test_the_claim_stays_unless_told_otherwise(render):
    claim = render({"store": {"persistence": {"size": "50Gi", "storageClass": "fast"}}}).one("PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["spec"]["resources"] == {"requests": {"storage": "50Gi"}}
    assert (
        "annotations"
        not in render({"store": {"persistence": {"keep": False}}}).one("PersistentVolumeClaim")["metadata"]
    )


def test_the_servers_never_share_a_claim(render):
    assert data_of(render()) == {"persistentVolumeClaim": {"claimName": "rel-mlworkflow-minio"}}
    assert data_of(render(SEAWEEDFS)) == {"persistentVolumeClaim": {"claimName": "rel-mlworkflow-seaweedfs"}}


def test_without_a_claim_the_size_is_a_limit(render):
    manifests = render({"store": {"persistence": {"enabled": False, "size": "2Gi"}}})
    assert data_of(manifests) == {"emptyDir": {"sizeLimit": "2Gi"}}
    assert not manifests.of_kind("PersistentVolumeClaim")


def test_an_existing_claim_is_used_and_none_is_made(render):
    manifests = render({"store": {"persistence": {"existingClaim": "disk"}}})
    assert data_of(manifests) == {"persistentVolumeClaim": {"claimName": "disk"}}
    assert not manifests.of_kind("PersistentVolumeClaim")


def data_of(manifests):
    (volume,) = [volume for volume in statefulset(manifests)["volumes"] if volume["name"] == "data"]
    return {key: value for key, value in volume.items() if key != "name"}

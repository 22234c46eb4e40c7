"""Every Pod keeps to the Pod Security level `restricted`, whatever the values, and to what we ask beyond it."""

from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return spec["containers"] + spec.get("initContainers", [])


def test_pods_are_restricted(render, values):
    pods = render(values).pods()
    assert pods
    for pod in pods.values():
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & spec.keys()
        assert all(set(volume) - {"name"} <= VOLUMES for volume in spec["volumes"])
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"sysctls", "seLinuxOptions", "appArmorProfile", "windowsOptions"} & spec["securityContext"].keys()
        assert spec["securityContext"].get("runAsUser") != 0
        for container in containers(spec):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert not any("hostPort" in port for port in container["ports"])
            probes = [container[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
            assert not any("host" in probe for probe in probes)


def test_pods_run_as_65532_unless_the_cluster_chooses(render):
    for pod in render().pods().values():
        context = pod["spec"]["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (65532, 65532, 65532)
    for pod in render({"security": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}).pods().values():
        assert set(pod["spec"]["securityContext"]) == {"runAsNonRoot", "seccompProfile"}


def test_only_the_operator_gets_a_token(render, values):
    for name, pod in render(values).pods().items():
        assert pod["spec"]["automountServiceAccountToken"] is (name == "rel-mlworkflow")


def test_every_container_may_write_to_tmp_and_has_a_memory_limit(render, values):
    for pod in render(values).pods().values():
        for container in containers(pod["spec"]):
            assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
            assert container["resources"]["limits"]["memory"]


def test_every_mount_has_its_volume_and_no_volume_is_idle(render, values):
    for pod in render(values).pods().values():
        mounted = {mount["name"] for container in containers(pod["spec"]) for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}


def test_selectors_select_the_pods_and_only_their_own(render, values):
    manifests = render(values)
    owners = {
        manifest["metadata"]["name"]: manifest for manifest in manifests if "template" in manifest.get("spec", {})
    }
    for name, owner in owners.items():
        wanted = owner["spec"]["selector"]["matchLabels"].items()
        chosen = [other for other, pod in manifests.pods().items() if wanted <= pod["metadata"]["labels"].items()]
        assert chosen == [name]
    for service in manifests.of_kind("Service"):
        chosen = [
            pod
            for pod in manifests.pods().values()
            if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        ]
        assert len(chosen) == 1
        ports = {port["name"] for port in chosen[0]["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_what_the_user_adds_is_there(render):
    pod = render(
        {
            "imagePullSecrets": ["pull"],
            "operator": {
                "podLabels": {"team": "ml", "app.kubernetes.io/name": "not this"},
                "podAnnotations": {"note": "x"},
                "priorityClassName": "high",
                "nodeSelector": {"disk": "ssd"},
                "affinity": {"podAffinity": {}},
                "tolerations": [{"key": "gpu", "operator": "Exists"}],
            },
        }
    ).pods()["rel-mlworkflow"]
    assert pod["metadata"]["labels"]["team"] == "ml"
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "mlworkflow"
    assert pod["metadata"]["annotations"] == {"note": "x"}
    assert pod["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    assert pod["spec"]["priorityClassName"] == "high"
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert pod["spec"]["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert pod["spec"]["affinity"] == {"podAffinity": {}}


def test_an_upgrade_of_the_chart_alone_restarts_nothing(render, values):
    for pod in render(values).pods().values():
        assert not {"helm.sh/chart", "app.kubernetes.io/version"} & pod["metadata"]["labels"].keys()


def test_long_release_names_give_valid_names(render):
    for manifest in render({"store": {"server": "seaweedfs"}}, release="a" * 53):
        name = manifest["metadata"]["name"]
        assert len(name) <= 52 or ":" in name or manifest["kind"] not in ("StatefulSet", "Service"), name
        assert all(len(value) <= 63 for value in manifest["metadata"].get("labels", {}).values())

"""What is made of this machine and of the API server's answers: pure verdicts."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from mlworkflow.runs.doctor import machine, verdicts
from mlworkflow.runs.doctor.check import Check, Level, has_failed
from mlworkflow.runs.doctor.permissions import NEEDS
from mlworkflow.schema.crd import crd


def levels(*checks: Check) -> list[str]:
    return [str(check.level) for check in checks]


def deployment(ready: int = 1, release: str = "0.1.0", **env: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    return {
        "metadata": {"name": "mlworkflow", "namespace": "ops", "labels": {"app.kubernetes.io/version": release}},
        "spec": {
            "replicas": 1,
            "template": {"spec": {"containers": [{"env": [*variables, {"name": "X", "valueFrom": {}}]}]}},
        },
        "status": {"readyReplicas": ready},
    }


def test_python_and_the_folder(tmp_path: Path) -> None:
    assert levels(machine.python((3, 11, 0)), machine.python((3, 10, 4))) == ["ok", "fail"]
    assert machine.folder(tmp_path / "a/b/.mlworkflow").level is Level.OK
    assert not (tmp_path / "a").exists(), "looking makes nothing"
    (tmp_path / "file").write_text("")
    assert machine.folder(tmp_path / "file").level is Level.FAIL
    found = list(machine.checks(tmp_path))
    assert {check.name for check in found} == {
        "python",
        "extra cli",
        "extra steps",
        "extra ui",
        "extra boosting",
        "home",
    }
    assert not has_failed(found)


def test_an_extra_that_is_not_there_is_told_with_the_command() -> None:
    missing = machine.extra("steps", lambda package: package != "scikit-learn")
    assert (missing.level, missing.fix) == (Level.WARN, "pip install 'mlworkflow[steps]'")
    assert "scikit-learn" in missing.message


def test_the_version_of_the_cluster() -> None:
    told = [verdicts.version({"gitVersion": text}, "s") for text in ("v1.34.2+k3s1", "v1.29.0", "v1.28.9", "?")]
    assert levels(*told) == ["ok", "ok", "warn", "warn"]


def test_a_schema_of_another_release_is_told_by_its_fields_and_words_do_not_count() -> None:
    ours, theirs = crd(), copy.deepcopy(crd())
    assert verdicts.definition(theirs, ours).level is Level.OK
    spec = theirs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["description"] = "Other words."
    assert verdicts.definition(theirs, ours).level is Level.OK
    del spec["properties"]["priority"]
    told = verdicts.definition(theirs, ours)
    assert (told.level, "spec.priority" in told.message) == (Level.WARN, True)
    theirs["spec"]["versions"][0]["name"] = "v1beta1"
    assert verdicts.definition(theirs, ours).level is Level.FAIL


def test_the_operator() -> None:
    def told(*found: dict[str, Any]) -> list[str]:
        return levels(*verdicts.operator(found, "0.1.0"))

    assert told() == ["fail"]
    assert told(deployment(), deployment(0), deployment(1, "0.2.0")) == ["ok", "fail", "warn"]
    environ = verdicts.settings(deployment(MLWF_NAMESPACES="a,b"))
    assert levels(verdicts.watched("b", environ), verdicts.watched("c", environ), verdicts.watched("c", {})) == [
        "ok",
        "fail",
        "ok",
    ]


def test_the_namespace_and_its_quotas() -> None:
    def namespace(**labels: str) -> dict[str, Any]:
        return {"metadata": {"name": "ml", "labels": labels}, "status": {"phase": "Active"}}

    restricted = namespace(**{verdicts.RESTRICTED: "restricted"})
    assert levels(verdicts.admission(namespace()), verdicts.admission(restricted)) == ["ok", "warn"]
    assert verdicts.admission({**namespace(), "status": {"phase": "Terminating"}}).level is Level.FAIL

    def quota(hard: dict[str, str], used: dict[str, str]) -> dict[str, Any]:
        return {"metadata": {"name": "q"}, "status": {"hard": hard, "used": used}}

    full = quota({"pods": "4", "requests.cpu": "2"}, {"pods": "4", "requests.cpu": "1500m"})
    asked = quota({"requests.memory": "2Gi"}, {"requests.memory": "1Gi"})
    counted = quota({"pods": "4"}, {"pods": "1"})
    told = list(verdicts.quotas([full, asked, counted]))
    assert levels(*told, *verdicts.quotas([])) == ["warn", "warn", "ok", "ok"]
    assert "pods 4 of 4" in told[0].message
    assert "requests.memory" in told[1].message


def test_images_and_storage() -> None:
    node = {"status": {"images": [{"names": ["docker.io/library/steps:1"]}]}}
    assert levels(verdicts.images([node, {}], "steps:1"), verdicts.images([{}], "steps:1")) == ["ok", "warn"]
    waits = {"metadata": {"name": "data"}, "status": {"phase": "Pending"}}
    assert levels(verdicts.storage([], []), verdicts.storage([waits], [])) == ["ok", "fail"]


def test_who_may_not_is_given_the_binding_that_an_administrator_makes() -> None:
    fixes = [need.fix("ada", "ml", "ops") for need in NEEDS]
    assert "kubectl create rolebinding mlworkflow-view -n ml --clusterrole=mlworkflow-view --user=ada" in fixes
    assert (
        "kubectl create rolebinding mlworkflow-artifact-reader -n ops --role=mlworkflow-artifact-reader --user=ada"
        in fixes
    )
    assert NEEDS[0].fix("system:serviceaccount:ml:ci", "ml", "ops").endswith("--serviceaccount=ml:ci")
    assert sum(need.is_essential for need in NEEDS) == 1

"""The rule that says where a command looks for runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlworkflow.runs.errors import Usage
from mlworkflow.runs.places import Place


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """No cluster anywhere."""
    return {"HOME": str(tmp_path)}


@pytest.fixture
def configured(tmp_path: Path) -> dict[str, str]:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("{}")
    return {"HOME": str(tmp_path)}


def test_without_a_cluster_runs_are_here(bare: dict[str, str], tmp_path: Path) -> None:
    assert Place().is_local(bare)
    assert Place().is_local(bare | {"KUBECONFIG": str(tmp_path / "none")})
    assert not Place(namespace="ml").is_local(bare)


def test_with_a_cluster_runs_are_there_unless_said_otherwise(configured: dict[str, str]) -> None:
    assert not Place().is_local(configured)
    assert Place(local=True).is_local(configured)
    assert Place(home=Path("x")).is_local(configured)
    assert Place().is_local(configured | {"MLWF_LOCAL": "1"})
    assert not Place().is_local(configured | {"MLWF_LOCAL": "0"})
    assert not Place(context="kind").is_local(configured | {"MLWF_LOCAL": "1"})


def test_other_ways_to_a_cluster(bare: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config").write_text("{}")
    assert not Place().is_local(bare | {"KUBECONFIG": f"/none:{tmp_path / 'config'}"})
    assert not Place().is_local(bare | {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})


@pytest.mark.parametrize("place", [Place(local=True, namespace="ml"), Place(home=Path("x"), context="kind")])
def test_contradictions_are_refused(place: Place, bare: dict[str, str]) -> None:
    with pytest.raises(Usage):
        place.is_local(bare)


def test_suggested_commands_find_the_place_again(configured: dict[str, str], bare: dict[str, str]) -> None:
    place = Place(context="a b", namespace="ml")
    assert place.flags(configured) == " --context 'a b' -n ml"
    assert Place(home=Path("/x")).flags(configured) == " --home /x"
    assert Place().flags(configured) == ""


def test_local_is_repeated_only_where_it_is_needed(configured: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert Place(local=True).flags(configured) == " --local"
    assert Place(local=True).flags(configured | {"MLWF_LOCAL": "1"}) == ""

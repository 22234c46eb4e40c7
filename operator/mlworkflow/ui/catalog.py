"""Models and datasets by name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlworkflow.ui.answers import DatasetVersion, Made, Model, ModelMove, ModelRow, ModelVersion
from mlworkflow.ui.shown import from_seconds

CHAMPION = "champion"
Called = Callable[[str], str]
"""What the run with a uid is called, as far as it is known; else nothing."""


def model_row(model: Mapping[str, Any], called: Called) -> ModelRow:
    versions = [_version(each, called) for each in model["versions"]]
    champion = model["aliases"].get(CHAMPION)
    return ModelRow(
        name=model["name"],
        aliases=dict(model["aliases"]),
        versions=len(versions),
        newest=versions[-1] if versions else None,
        champion=next((each for each in versions if each.number == champion), None),
    )


def model_of(model: Mapping[str, Any], called: Called) -> Model:
    """The newest first."""
    return Model(
        name=model["name"],
        aliases=dict(model["aliases"]),
        versions=[_version(each, called) for each in reversed(model["versions"])],
        moves=[_move(each) for each in reversed(model["moves"])],
    )


def dataset_of(version: Mapping[str, Any]) -> DatasetVersion:
    return DatasetVersion(
        name=version["name"],
        digest=version["digest"],
        size=version["size"],
        type=version["type"],
        source=version.get("source") or "",
        added=from_seconds(version["added"]),
    )


def _version(version: Mapping[str, Any], called: Called) -> ModelVersion:
    made = version.get("made")
    return ModelVersion(
        number=version["number"],
        digest=version["digest"],
        size=version["size"],
        type=version["type"],
        added=from_seconds(version["added"]),
        by=version["by"],
        made=Made(run=called(made["uid"]) or made["workflow"], uid=made["uid"], task=made["task"], attempt=made["attempt"]) if made else None,
        metrics=dict(version["metrics"]),
        aliases=list(version["aliases"]),
    )  # fmt: skip


def _move(move: Mapping[str, Any]) -> ModelMove:
    return ModelMove(
        number=move["number"],
        alias=move["alias"],
        version=move["version"],
        previous=move["previous"],
        by=move["by"],
        at=from_seconds(move["at"]),
        message=move.get("message") or "",
        is_rollback=bool(move.get("rollback")),
    )

"""Tells MLflow of runs that have ended, in the background: never on a run's way, again until it is taken, once as far as MLflow shows it.

A `Duty` of a keeper that nobody waits for. That a run has been told is noted beside its records, so that neither a restart nor a second operator tells it again;
what is told again after all finds the same runs by their tag and changes nothing.
"""

from __future__ import annotations

import json
import logging
import tarfile
from collections.abc import Iterator, Mapping
from typing import IO, Any, cast

from mlworkflow.core import status
from mlworkflow.core.study import deciding_metric
from mlworkflow.engine import mlflow
from mlworkflow.engine.keeper import Duty
from mlworkflow.engine.mlflow import DIGEST, KEY, Point, Registered, Told
from mlworkflow.engine.mlflow_server import PROXY, Refused, Server
from mlworkflow.store import models
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import NotFound
from mlworkflow.store.layout import cas_key, mirror_key
from mlworkflow.store.records import load_run

_log = logging.getLogger(__name__)
MODEL = "model"
"""The folder of a run's artifacts that holds its model."""
_METRICS, _PARAMS, _TAGS = 800, 100, 100
"""How many of them a call may hold."""
_PAGE = 1000


def mirroring(server: Server, experiment: str = "") -> Duty:
    """The duty to tell a server. `experiment` names one for all workflows."""

    def mirror(store: ArtifactStore, resource: Mapping[str, Any]) -> None:
        if is_mirrored(store, resource) or status.is_invalid(resource["status"]):
            return
        metadata = resource["metadata"]
        try:
            _Mirror(server, store, resource).tell(experiment or mlflow.experiment_of(resource))
        except Refused as error:
            _log.warning("%s/%s: not told to MLflow: %s", metadata["namespace"], metadata["name"], error)
            return
        note(store, resource, resource["status"].get("finishedAt", ""))

    return mirror


def is_mirrored(store: ArtifactStore, resource: Mapping[str, Any]) -> bool:
    """Whether this end of a run has been told. Raises StoreError."""
    return noted(store, resource) == str(resource["status"].get("finishedAt"))


def noted(store: ArtifactStore, resource: Mapping[str, Any]) -> str | None:
    """Which end of a run has been told; empty where it is owed, None where nothing is noted. Raises StoreError."""
    metadata = resource["metadata"]
    try:
        return str(json.loads(store.read_bytes(mirror_key(metadata["namespace"], metadata["uid"])))["end"])
    except (NotFound, ValueError, LookupError, TypeError):
        return None


def note(store: ArtifactStore, resource: Mapping[str, Any], end: str) -> None:
    """Write down which end has been told; empty: it is owed. Raises StoreError."""
    metadata = resource["metadata"]
    store.write_bytes(mirror_key(metadata["namespace"], metadata["uid"]), json.dumps({"end": end}).encode())


class _Mirror:
    """Of one run. Raises Away, Refused, StoreError."""

    def __init__(self, server: Server, store: ArtifactStore, resource: Mapping[str, Any]) -> None:
        self._server, self._store, self._resource = server, store, resource
        self._namespace, self._uid = resource["metadata"]["namespace"], resource["metadata"]["uid"]
        self._experiment = ""
        self._ids: dict[str, str] = {}

    def tell(self, experiment: str) -> None:
        records = load_run(self._store, self._namespace, self._uid).records
        self._experiment = self._experiment_id(experiment)
        self._ids = self._known()
        whole, *others = mlflow.told(self._resource, records, _deciding(self._resource))
        self._run(whole, "")
        for run in others:
            self._run(run, self._ids[whole.key])
        for model in mlflow.registered(self._resource, records):
            self._model(model)

    def _experiment_id(self, name: str) -> str:
        try:
            return str(self._server.get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])
        except Refused as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
        try:
            return str(self._server.post("experiments/create", {"name": name})["experiment_id"])
        except Refused as error:  # somebody else was quicker
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
        return str(self._server.get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])

    def _known(self) -> dict[str, str]:
        """Key → id of the runs that are there already."""
        found: dict[str, str] = {}
        asked = {"experiment_ids": [self._experiment], "filter": f"tags.`{mlflow.UID}` = '{self._uid}'", "max_results": _PAGE}  # fmt: skip
        page: str | None = ""
        while page is not None:
            answer = self._server.post("runs/search", {**asked, **({"page_token": page} if page else {})})
            for run in answer.get("runs") or []:
                tags = {tag["key"]: tag["value"] for tag in run["data"].get("tags") or []}
                found[tags.get(KEY, "")] = run["info"]["run_id"]
            page = answer.get("next_page_token") or None
        return found

    def _run(self, run: Told, parent: str) -> None:
        tags = {**run.tags, "mlflow.runName": run.name, **({"mlflow.parentRunId": parent} if parent else {})}
        listed = [
            {"key": key[: mlflow.LONGEST_KEY], "value": text[: mlflow.LONGEST_TAG]}
            for key, text in tags.items()
            if text
        ]
        id_ = self._ids.get(run.key)
        if id_ is None:
            made = {
                "experiment_id": self._experiment,
                "run_name": run.name,
                "start_time": run.started,
                "tags": listed[:_TAGS],
            }
            id_ = self._ids[run.key] = str(self._server.post("runs/create", made)["run"]["info"]["run_id"])
        points = [_point(point, run.ended) for point in run.metrics]
        params = [{"key": key, "value": text} for key, text in run.params.items()]
        for names in _parts(listed, _TAGS):
            self._server.post("runs/log-batch", {"run_id": id_, "tags": names})
        for values in _parts(points, _METRICS):
            self._server.post("runs/log-batch", {"run_id": id_, "metrics": values})
        for texts in _parts(params, _PARAMS):
            self._server.post("runs/log-batch", {"run_id": id_, "params": texts})
        self._server.post(
            "runs/update", {"run_id": id_, "status": run.status, "end_time": run.ended, "run_name": run.name}
        )

    def _model(self, model: Registered) -> None:
        """A version with this digest, and the aliases as they are with us now."""
        name, id_ = mlflow.model_of(self._namespace, model.name), self._ids[model.key]
        try:
            self._server.post("registered-models/create", {"name": name})
        except Refused as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise
        versions = self._versions(name)
        if model.artifact.digest not in versions:
            source = self._upload(model, id_)
            tags = [{"key": DIGEST, "value": model.artifact.digest}]
            asked = {"name": name, "source": source, "run_id": id_, "tags": tags}
            made = self._server.post("model-versions/create", asked)["model_version"]
            versions[model.artifact.digest] = str(made["version"])
        known = models.read(self._store, self._namespace, model.name)
        for alias in known.aliases:
            meant = known.version(alias)
            if meant and meant.digest in versions:
                self._server.post("registered-models/alias", {"name": name, "alias": alias, "version": versions[meant.digest]})  # fmt: skip

    def _versions(self, name: str) -> dict[str, str]:
        """Digest → version."""
        found: dict[str, str] = {}
        page: str | None = ""
        while page is not None:
            asked = {"filter": f"name = '{name}'", "max_results": 200, **({"page_token": page} if page else {})}
            answer = self._server.get("model-versions/search", **asked)
            for version in answer.get("model_versions") or []:
                tags = {tag["key"]: tag["value"] for tag in version.get("tags") or []}
                if DIGEST in tags:
                    found[tags[DIGEST]] = str(version["version"])
            page = answer.get("next_page_token") or None
        return found

    def _upload(self, model: Registered, id_: str) -> str:
        """The bundle's files among the run's artifacts; where they are then."""
        uri = str(self._server.get("runs/get", run_id=id_)["run"]["info"]["artifact_uri"])
        scheme, _, rest = uri.partition(":")
        if scheme != PROXY:
            raise Refused(self._server.host, 200, "", f"its artifacts are in a store of its own ({scheme}:), which nobody here has keys of: start it with --serve-artifacts")  # fmt: skip
        folder = f"{'/'.join(rest.lstrip('/').split('/'))}/{MODEL}"
        pieces = _Pieces(self._store.read(cas_key(self._namespace, model.artifact.digest)))
        if model.artifact.type != "directory":
            self._server.put_file(f"{folder}/{MODEL}", cast("IO[bytes]", pieces), model.artifact.size)
            return f"{uri}/{MODEL}"
        with tarfile.open(fileobj=cast("IO[bytes]", pieces), mode="r|") as tar:
            for member in tar:
                if member.isreg() and (content := tar.extractfile(member)):
                    self._server.put_file(f"{folder}/{member.name}", cast("Any", content), member.size)
        return f"{uri}/{MODEL}"


class _Pieces:
    """Pieces of bytes as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        end = len(self._rest) if size < 0 else size
        given, self._rest = self._rest[:end], self._rest[end:]
        return given


def _point(point: Point, at: int) -> dict[str, Any]:
    return {"key": point.name, "value": point.value, "timestamp": at, "step": point.step}


def _parts(values: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _deciding(resource: Mapping[str, Any]) -> dict[str, str]:
    """The name of the metric that decides, of each search among the workflow's own steps."""
    steps = (resource.get("spec") or {}).get("steps") or []
    tuning = {str(step.get("name")): step["tune"] for step in steps if isinstance(step.get("tune"), Mapping)}
    return {name: deciding_metric(body) for name, body in tuning.items()}

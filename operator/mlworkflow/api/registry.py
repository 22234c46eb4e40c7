"""Models and datasets by name: what a step can take as an input, and what can be looked at here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import msgspec

from mlworkflow.api.artifact import Artifact
from mlworkflow.api.places import PlaceOptions, place_of
from mlworkflow.api.run import ask
from mlworkflow.api.sources import Reference
from mlworkflow.core.errors import Problem, SpecError
from mlworkflow.core.origins import Origin, problems_of
from mlworkflow.core.values import ArtifactRef
from mlworkflow.runs import download
from mlworkflow.runs.artifacts import Artifact as Known
from mlworkflow.runs.errors import NoSuchRun
from mlworkflow.runs.run import Run, Runs
from mlworkflow.store import model_log

if TYPE_CHECKING:
    import pandas as pd

_NOWHERE = Run("", {"metadata": {"uid": ""}})
"""Artifacts that no run is asked for."""


class Named(Reference):
    """A reference to something that has a name: as an input what it means when the run starts, here what it means now."""

    __slots__ = ("_noun", "_options", "_version", "name")

    def __init__(self, noun: str, name: str, options: PlaceOptions) -> None:
        origin = Origin(model=name) if noun == "model" else Origin(dataset=name)
        if problems := problems_of(origin):
            raise SpecError([Problem(field, message) for field, message in problems])
        super().__init__(origin)
        self.name, self._noun, self._options = name, noun, options

    def artifact(self) -> Artifact:
        """What the name means now. Raises NoSuchRun where it means nothing."""
        found = self._found()
        return Artifact(
            Known(self._noun, self.name.partition("@")[0], found.type, found.size, found.digest), self._fetch
        )

    def path(self, destination: str | Path | None = None) -> Path:
        """Its file or folder."""
        return self.artifact().path(destination)

    def _found(self) -> ArtifactRef:
        raise NotImplementedError

    def _fetch(self, artifact: Known, target: Path) -> Path:
        async def fetch(runs: Runs) -> Path | None:
            return await download.download(artifact, lambda digest: runs.artifact(_NOWHERE, digest), str(target))

        found = ask(place_of(self._options), fetch)
        assert found is not None
        return found


class Dataset(Named):
    """A named dataset: `NAME` is its newest version, `NAME@sha256:…` one for ever."""

    __slots__ = ()

    def dataframe(self) -> pd.DataFrame:
        """Its table."""
        return self.artifact().dataframe()

    def _found(self) -> ArtifactRef:
        name, _, digest = self.name.partition("@")
        versions = ask(place_of(self._options), lambda runs: runs.datasets(name))
        found = next((each for each in versions if digest in ("", each["digest"])), None)
        if found is None:
            raise NoSuchRun(f"there is no dataset '{self.name}'", "add it: mlwf dataset add NAME FILE")
        return ArtifactRef(found["digest"], found["size"], found["type"])


class ModelVersion(Named):
    """A version of a model: `NAME@champion` by an alias, `NAME@3` and `NAME@sha256:…` one for ever."""

    __slots__ = ()

    @property
    def facts(self) -> model_log.Version:
        """The version as the registry has it: `number`, `digest`, `metrics`, `made`. Raises NoSuchRun."""
        name, _, version = self.name.partition("@")
        known = ask(place_of(self._options), lambda runs: runs.model(name))
        found = msgspec.convert(known, model_log.Model).version(version) if known else None
        if found is None:
            raise NoSuchRun(f"there is no model '{self.name}'", "look: mlwf models")
        return found

    def load(self) -> Any:
        """The model itself, an `mlworkflow_steps.Model`. Raises ExtraMissing without the extra `steps`."""
        return self.artifact().model()

    def _found(self) -> ArtifactRef:
        return self.facts.artifact


def model(name: str, **options: Unpack[PlaceOptions]) -> ModelVersion:
    """A version of a model by name: an input of a step, and something to look at. Raises SpecError for what is no name."""
    return ModelVersion("model", name, options)


def dataset(name: str, **options: Unpack[PlaceOptions]) -> Dataset:
    """A named dataset: an input of a step, and something to look at. Raises SpecError for what is no name."""
    return Dataset("dataset", name, options)


def list_models(**options: Unpack[PlaceOptions]) -> list[Mapping[str, Any]]:
    """Every model that has a name, with its versions and aliases."""
    return list(ask(place_of(options), lambda runs: runs.models()))

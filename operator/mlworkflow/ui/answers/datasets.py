"""Datasets by name."""

from __future__ import annotations

from typing import Annotated

from mlworkflow.ui.answers.base import Answer, Time


class DatasetVersion(Answer, frozen=True):
    """A version of a dataset."""

    name: str
    digest: Annotated[str, "Which version: `NAME@sha256:…`."]
    size: int
    type: str
    source: Annotated[str, "Where it came from."]
    added: Time


class DatasetsAnswer(Answer, frozen=True):
    """The newest version of each dataset of a namespace."""

    datasets: list[DatasetVersion]


class DatasetAnswer(Answer, frozen=True):
    """The versions of one dataset, the newest first."""

    versions: list[DatasetVersion]

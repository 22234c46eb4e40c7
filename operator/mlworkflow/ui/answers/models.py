"""Models by name, their versions and the moves of their aliases."""

from __future__ import annotations

from typing import Annotated

from mlworkflow.ui.answers.base import Answer, Time


class Made(Answer, frozen=True):
    """The attempt that left a version."""

    run: Annotated[str, "The workflow's name, or the run's id where it is known."]
    uid: str
    task: str
    attempt: int


class ModelVersion(Answer, frozen=True):
    """A version of a model."""

    number: int
    digest: str
    size: int
    type: str
    added: Time
    by: str
    made: Made | None
    metrics: dict[str, float]
    aliases: list[str]


class ModelMove(Answer, frozen=True):
    """An alias that was moved."""

    number: int
    alias: str
    version: int
    previous: Annotated[int, "What it meant before; 0: nothing."]
    by: str
    at: Time
    message: str
    is_rollback: bool


class ModelRow(Answer, frozen=True):
    """A model in the list."""

    name: str
    aliases: Annotated[dict[str, int], "alias → version."]
    versions: int
    newest: ModelVersion | None
    champion: Annotated[ModelVersion | None, "What the alias `champion` means; null: nothing."]


class ModelsAnswer(Answer, frozen=True):
    """All models of a namespace."""

    models: list[ModelRow]


class Model(Answer, frozen=True):
    """A model: its versions and the moves of its aliases, the newest first."""

    name: str
    aliases: dict[str, int]
    versions: list[ModelVersion]
    moves: list[ModelMove]

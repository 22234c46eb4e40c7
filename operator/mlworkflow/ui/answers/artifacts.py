"""What steps have left."""

from __future__ import annotations

from typing import Annotated

from mlworkflow.ui.answers.base import Answer


class Artifact(Answer, frozen=True):
    """What a task left."""

    task: str
    name: str
    digest: str
    size: int
    type: Annotated[str, "file, directory or collection."]
    attempt: Annotated[int | None, "Of one that failed: what it left is to be looked at, and is no result."]
    looks: Annotated[str, "What its preview will probably be, guessed from its name and step: table, image, html, json, text, directory, model, binary; empty: ask."]  # fmt: skip


class ArtifactsPage(Answer, frozen=True):
    """Artifacts, a page of them."""

    rows: list[Artifact]
    next: str
    total: int

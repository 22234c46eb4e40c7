"""What the editor begins with, and what is wrong with its text."""

from __future__ import annotations

from typing import Annotated

from mlworkflow.ui.answers.base import Answer, Finding, Params
from mlworkflow.ui.answers.graph import Graph


class Example(Answer, frozen=True):
    """A workflow to begin with."""

    name: str
    title: str
    text: str


class Examples(Answer, frozen=True):
    """Workflows to begin with."""

    examples: list[Example]


class Text(Answer, frozen=True):
    """A YAML file as it is edited."""

    text: str


class LintAnswer(Answer, frozen=True):
    """What can be said of it before it runs."""

    findings: list[Finding]
    is_sound: Annotated[bool, "No errors: it can be submitted."]
    workflows: Annotated[list[str], "Their names; one is submitted, more are refused."]
    params: Annotated[Params, "Of the first workflow, with what they are without being set."]
    graph: Annotated[Graph | None, "Of the first workflow, if it is sound."]

"""What a line of the log is about. In text it is its beginning, in JSON it is fields (`mlworkflow.logs`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subject:
    """A workflow, or a step (task) of it. What is empty is not known where the line is written."""

    namespace: str
    workflow: str
    uid: str = ""
    step: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.workflow or self.uid}{' ' + self.step if self.step else ''}"

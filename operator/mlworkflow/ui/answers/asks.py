"""What the page asks to be done."""

from __future__ import annotations

from typing import Annotated

from mlworkflow.ui.answers.base import Answer, Params


class Submit(Answer, frozen=True):
    """A new run."""

    text: str
    namespace: str = ""
    params: Annotated[Params, "Instead of those of the file."] = {}
    no_cache: Annotated[bool, "Every step runs, whatever has been done before."] = False


class Which(Answer, frozen=True):
    """A run."""

    namespace: str
    run: str


class Retry(Answer, frozen=True):
    """Run again what failed, has changed or is named, and what depends on it."""

    namespace: str
    run: str
    steps: list[str] = []
    params: Annotated[Params, "To go on with instead."] = {}


class Decision(Answer, frozen=True):
    """The answer to a task that waits for approval."""

    namespace: str
    run: str
    task: str
    approved: bool
    comment: str = ""
    inputs: Params = {}


class Promotion(Answer, frozen=True):
    """Have an alias mean a model: `version`, or what the `task` of a `run` left as its `output`."""

    namespace: str
    name: str
    alias: str = "champion"
    version: Annotated[str, "A number, an alias or a digest; empty: `run` and `task` say it."] = ""
    run: str = ""
    task: str = ""
    output: str = "model"
    expect: Annotated[str, "What the alias has to mean before: a version's number, or `none`; empty: whatever."] = ""
    message: str = ""


class Rollback(Answer, frozen=True):
    """Have an alias mean what it meant before."""

    namespace: str
    name: str
    alias: str = "champion"
    message: str = ""

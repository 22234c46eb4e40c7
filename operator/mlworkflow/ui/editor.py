"""What the editor asks for: what can be said of a text before it runs, the schema, and workflows to begin with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from mlworkflow.core.errors import SpecError
from mlworkflow.core.plan import Plan
from mlworkflow.runs.code_files import with_code
from mlworkflow.runs.documents import BadFile, Document, parsed
from mlworkflow.runs.errors import Usage
from mlworkflow.runs.lint import lint, named
from mlworkflow.runs.uncached import without_cache
from mlworkflow.schema.editor import editor_schema
from mlworkflow.ui.answers import Example, Finding, Graph, LintAnswer, Submit
from mlworkflow.ui.drawing import drawn
from mlworkflow.ui.failing import NOT_SOUND, Refusal

SOURCE = "workflow.yaml"
LARGEST = 1 << 20
"""Characters of a text."""


def linted(text: str, *, with_files: bool) -> LintAnswer:
    """The findings of a text. `with_files`: code that it names is read from the folder that this process is in."""
    try:
        documents = _documents(text, with_files=with_files)
    except (BadFile, Usage) as error:
        finding = Finding(
            line=_line(str(error)), path="", message=str(error).removeprefix(f"{SOURCE}: "), severity="error"
        )
        return LintAnswer(findings=[finding], is_sound=False, workflows=[], params={}, graph=None)
    findings = [
        Finding(line=one.line, path=one.path, message=one.message, severity=one.severity)
        for document in documents
        for one in lint(document)
    ]
    is_sound = bool(documents) and not any(one.severity == "error" for one in findings)
    spec = documents[0].resource.get("spec") if documents else {}
    params = (spec.get("params") if isinstance(spec, dict) else None) or {}
    return LintAnswer(
        findings=findings,
        is_sound=is_sound,
        workflows=[document.name for document in documents],
        params=params if isinstance(params, dict) else {},
        graph=_graph(documents[0].resource) if is_sound else None,
    )


def wanted(asked: Submit, *, with_files: bool, is_local: bool) -> dict[str, Any]:
    """The one workflow of a text with its parameters set. Raises RunsError; NotSound where lint finds errors."""
    documents = _documents(asked.text, with_files=with_files)
    if len(documents) != 1:
        raise Usage(f"the text holds {len(documents)} workflows, and one is wanted")
    document = documents[0]
    spec = document.resource.get("spec")
    known = (spec.get("params") or {}) if isinstance(spec, dict) else {}
    if unknown := [name for name in asked.params if name not in known]:
        raise Usage(f"params.{unknown[0]}: spec.params has no such parameter", f"it has: {', '.join(known) or 'none'}")
    resource = (
        {**document.resource, "spec": {**(spec or {}), "params": {**known, **asked.params}}}
        if known
        else document.resource
    )
    errors = [one for one in lint(replace(document, resource=resource)) if one.severity == "error"]
    if errors:
        raise NotSound([Finding(line=one.line, path=one.path, message=one.message, severity="error") for one in errors])
    resource = without_cache(resource) if asked.no_cache else resource
    metadata = dict(resource.get("metadata") or {})
    if is_local:
        metadata.setdefault("name", str(metadata.pop("generateName", "")).rstrip("-."))
    elif asked.namespace:
        if metadata.get("namespace", asked.namespace) != asked.namespace:
            raise Usage(f"the text says namespace {metadata['namespace']}, and {asked.namespace} is asked for")
        metadata["namespace"] = asked.namespace
    return {**resource, "metadata": metadata}


class NotSound(Refusal):
    """A workflow that cannot run; `findings` say why."""

    def __init__(self, findings: list[Finding]) -> None:
        first = findings[0]
        super().__init__(NOT_SOUND, f"nothing was started: {first.path or f'line {first.line}'}: {first.message}")
        self.findings = findings


@cache
def schema() -> Mapping[str, Any]:
    return editor_schema()


@cache
def examples() -> list[Example]:
    """Those of the repository, which the wheel has beside the page."""
    return list(_examples())


def _examples() -> Iterator[Example]:
    here = Path(__file__).parents[3] / "examples"
    folder = here if here.is_dir() else resources.files("mlworkflow.ui") / "examples"
    if not folder.is_dir():
        return
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            text = file.read_text(encoding="utf-8")
            title = re.match(r"#\s*(.+)", text)
            name = file.name.removesuffix(".yaml")
            yield Example(name=name, title=title[1].strip() if title else name, text=text)


def _documents(text: str, *, with_files: bool) -> list[Document]:
    if len(text) > LARGEST:
        raise Usage(f"the text has {len(text)} characters, and {LARGEST} are the most")
    found = [document for document in parsed(text, SOURCE) if not document.is_foreign]
    if not found:
        raise Usage(
            "there is no MLWorkflow in it", "begin with apiVersion: mlworkflow.io/v1alpha1 and kind: MLWorkflow"
        )
    return [with_code(document) for document in found] if with_files else found


def _line(message: str) -> int:
    found = re.match(rf"{re.escape(SOURCE)}:(\d+)", message)
    return int(found[1]) if found else 1


def _graph(resource: Mapping[str, Any]) -> Graph | None:
    try:
        return drawn(Plan.of(named(resource))).graph
    except SpecError:
        return None

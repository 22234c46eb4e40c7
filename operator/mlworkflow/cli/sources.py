"""A workflow file on its way to be run: read, its parameters set, and refused at once where it cannot work."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlworkflow.runs.code_files import with_code
from mlworkflow.runs.documents import workflows
from mlworkflow.runs.errors import RunsError, Usage
from mlworkflow.runs.lint import lint
from mlworkflow.runs.params import overridden, retyped


def prepared(source: str, params: Sequence[str]) -> list[dict[str, Any]]:
    """The workflows of a file with the parameters of the command line; what lint says of them is on standard error.

    Raises RunsError where one of them cannot run.
    """
    found, errors = [], 0
    for document in map(with_code, workflows(source)):
        resource = overridden(document.resource, params)
        findings = lint(replace(document, resource=resource))
        for line in [*findings, *retyped(document.resource, params)]:
            print(line, file=sys.stderr)
        errors += sum(finding.severity == "error" for finding in findings)
        found.append(resource)
    if errors:
        raise RunsError(
            f"nothing was started: {errors} problem{'s' if errors > 1 else ''} in {source}",
            "mend what is told above; what a field means: mlwf explain FIELD",
        )
    return found


def prepared_one(source: str, params: Sequence[str]) -> dict[str, Any]:
    """The one workflow of a file. Raises RunsError."""
    found = prepared(source, params)
    if len(found) > 1:
        raise Usage(f"{source} holds {len(found)} workflows, and one is wanted", "put each into a file of its own")
    return found[0]


def prepared_for_here(source: str, params: Sequence[str]) -> dict[str, Any]:
    """The one workflow of a file, for a local run. Raises RunsError."""
    resource = prepared_one(source, params)
    metadata = dict(resource["metadata"])
    metadata.setdefault("name", str(metadata.pop("generateName", "")).rstrip("-."))
    return {**resource, "metadata": metadata}


def namespace_of(resource: Mapping[str, Any]) -> str | None:
    """The namespace that a file asks for."""
    return (resource.get("metadata") or {}).get("namespace")

"""Everything that can be said of a workflow before it runs: what makes it fail, and what will probably surprise.

Beyond the operator's own checks, expressions are tried out: with the file's parameters, where nothing else is needed,
and with a sample of every declared output, because CEL fails on ``1 * 0.5`` only when it gets there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import yaml

from mlworkflow.core import graph, validate
from mlworkflow.core.errors import ExpressionError, Problem, SpecError
from mlworkflow.core.expressions import PLACES, Expression, evaluate, outside_strings
from mlworkflow.core.model import EXITS, Workflow
from mlworkflow.core.state import Phase
from mlworkflow.core.step import Step
from mlworkflow.core.view import both_spellings
from mlworkflow.runs.documents import Document, nodes

_FOREIGN = re.compile(r"(?<!\$)\{\{[^}]*\}\}|\$\((?:params|tasks|steps)\.[^)]*\)|\$\{(?:params|steps)\.[^}]*\}")
_CODE = (".python.source", ".prep.code.source")
"""Fields whose text is a language of its own."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_DIVISION = re.compile(r"/\s*[0-9]+(?![0-9.eEu])")
_SAMPLES: tuple[Mapping[str, Any], ...] = (
    {"number": 0.5, "integer": 3, "boolean": True, "string": "text"},
    {"number": 1, "integer": 3, "boolean": True, "string": "text"},
)
"""A step leaves ``1`` where it means ``1.0``: a number is tried as both."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem (`error`) keeps the workflow from running; a `warning` does not."""

    file: str
    line: int
    workflow: str
    path: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        mark = "warning: " if self.severity == "warning" else ""
        return f"{self.file}:{self.line}: {mark}{self.path + ': ' if self.path else ''}{self.message}"

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def lint(document: Document) -> list[Finding]:
    """All findings of one document, in the order of its lines."""

    def finding(problem: Problem, severity: Literal["error", "warning"] = "error") -> Finding:
        return Finding(
            document.source, document.line(problem.path), document.name, problem.path, problem.message, severity
        )

    found = [Finding(document.source, line, document.name, "", message) for line, message in document.duplicates]
    try:
        _check_metadata(document.resource.get("metadata"))
        workflow = Workflow.parse(named(document.resource))
        found += map(finding, _trials(workflow))
        validate.check(workflow)
    except SpecError as error:
        found += map(finding, error.problems)
    else:
        found += [finding(problem, "warning") for problem in (*_surprises(workflow), *_unpinned(workflow))]
    found += [finding(problem, "warning") for problem in _foreign(document.resource)]
    found += [
        Finding(document.source, line, document.name, "", text, "warning") for line, text in _letters(document.node)
    ]
    return sorted(dict.fromkeys(found), key=lambda finding: (finding.line, finding.severity, finding.path))


def named(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """A resource that the API server will name (`generateName`), with a name for the time being."""
    metadata = resource.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("name") or not metadata.get("generateName"):
        return resource
    return {**resource, "metadata": {**metadata, "name": f"{metadata['generateName']}xxxxx"}}


def _check_metadata(metadata: Any) -> None:
    """What the API server would refuse, and what would not do as a file's name. Raises SpecError."""
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        raise SpecError([Problem("metadata", "is a map: {name: …}")])
    name = metadata.get("name")
    if name and not (isinstance(name, str) and _NAME.fullmatch(name)):
        words = "a name has lower case letters, digits, dashes and dots, and begins and ends with a letter or digit"
        raise SpecError([Problem("metadata.name", f"{name!r}: {words}")])


def _expressions(workflow: Workflow) -> Iterator[tuple[str, Expression]]:
    for path, step in _all_steps(workflow):
        for where, expression in graph.expressions_of(step):
            yield f"{path}.{where}", expression


def _all_steps(workflow: Workflow) -> Iterator[tuple[str, Step]]:
    """Every step, with the field that holds it: those of groups and trials too."""
    waiting = [*_listed(workflow.steps.values(), "spec.steps")]
    for when in EXITS:
        own = [step for name, step in workflow.on_exit.items() if workflow.exit_lists[name] == when]
        waiting += _listed(own, f"spec.onExit.{when}")
    while waiting:
        path, step = waiting.pop(0)
        yield path, step
        waiting += _listed(step.steps.values(), f"{path}.steps")
        waiting += [(f"{path}.tune.step", step.trial)] if step.trial else []


def _listed(steps: Iterable[Step], path: str) -> Iterator[tuple[str, Step]]:
    """The steps of a list that somebody wrote, each with its place in it."""
    written = (step for step in steps if not step.stands_for)
    return ((f"{path}[{index}]", step) for index, step in enumerate(written))


def _names(workflow: Workflow) -> dict[str, Any]:
    own = {"name": workflow.name, "namespace": workflow.namespace, "uid": workflow.uid}
    return {"params": both_spellings(workflow.params), "workflow": own}


def _trials(workflow: Workflow) -> Iterator[Problem]:
    """Expressions over the parameters alone that fail with the values of the file."""
    scope = _names(workflow)
    inside = {name for _, step in _all_steps(workflow) if step.steps for name in both_spellings(step.params)}
    for path, expression in _expressions(workflow):
        if expression.roots <= {"params", "workflow"} and not (expression.parameters or inside) & inside:
            try:
                evaluate(expression, scope)
            except ExpressionError as error:
                if "there is no '" not in str(error):  # an unknown parameter: `validate` says it better
                    yield Problem(path, _short(error))


def _surprises(workflow: Workflow) -> Iterator[Problem]:
    scopes = [{**_names(workflow), "steps": _sampled(workflow, sample)} for sample in _SAMPLES]
    for path, expression in _expressions(workflow):
        if _DIVISION.search(outside_strings(expression.source)):
            yield Problem(
                path, f"'{expression.source}' drops what follows the point (7 / 2 is 3): write double(7) / 2.0"
            )
        if "steps" in expression.roots and not expression.roots & PLACES:
            for scope in scopes:
                try:
                    evaluate(expression, scope)
                except ExpressionError as error:
                    if "types do not fit" in str(error):
                        yield Problem(path, _short(error))
                        break


def _unpinned(workflow: Workflow) -> Iterator[Problem]:
    """Imports of which nobody can say whether the next run gets the same bytes."""
    implied = [(step.stands_for, step) for step in workflow.steps.values() if step.stands_for]
    for path, step in (*implied, *((f"{path}.import", step) for path, step in _all_steps(workflow))):
        if step.kind.name == "import" and (field := step.kind.unpinned(step.body)):
            yield Problem(
                f"{path}.{field}", "is not pinned: each run fetches it again, and takes what it gets; add its sha256"
            )


def _sampled(workflow: Workflow, sample: Mapping[str, Any]) -> dict[str, Any]:
    """`steps` as if every step had left a sample of each of its outputs, and every item of a fan-out one."""
    sampled: dict[str, Any] = {}
    for _, step in _all_steps(workflow):
        outputs = {output: sample[spec.type] for output, spec in step.outputs.items() if spec.type in sample}
        if step.for_each is not None:
            outputs = {name: [value] for name, value in outputs.items()}
        sampled[step.name] = {"phase": str(Phase.SUCCEEDED), "outputs": outputs}
    return both_spellings(sampled)


def _short(error: ExpressionError) -> str:
    return str(error).partition(" (No such overload")[0]


def _foreign(value: Any, path: str = "") -> Iterator[Problem]:
    """Marks of other engines, which are plain text here."""
    if isinstance(value, str):
        if found := _FOREIGN.search(value):
            yield Problem(path, f"'{found[0]}' is passed on as text: an expression is written ${{{{ … }}}}")
    elif isinstance(value, dict):
        for key, item in value.items():
            where = f"{path}.{key}" if path else key
            yield from () if where.endswith(_CODE) else _foreign(item, where)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _foreign(item, f"{path}[{index}]")


def _letters(root: yaml.Node) -> Iterator[tuple[int, str]]:
    """A bare ``y`` or ``n``, which is text here and true or false to kubectl."""
    for node in nodes(root):
        if isinstance(node, yaml.ScalarNode) and node.value in ("y", "Y", "n", "N") and not node.style:
            yield node.start_mark.line + 1, f"a bare {node.value} is true or false to kubectl: put it in quotes"

"""`environment`: Python packages, installed once, as an artifact. `requirements` of a `python` step stand for such a step."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.values import Fields

MOST = 200
Requirement = Annotated[str, Meta(max_length=500)]
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?:@\s*(?P<url>\S+)|\(?[<>=!~][^;]*)?\s*(?:;.*)?"
)


class Environment(Fields, frozen=True):
    """Installs packages with pip, beside what the step's image has. Leaves `environment` (a folder to import from) and `lock` (each package that was installed, with version and hash, as pip reads it).

    A `python` step takes it as its input `python-environment`; `requirements` there are short for both. Write the step yourself where installing needs `resources` or a time
    limit of its own. pip's own variables (`PIP_INDEX_URL`, `PIP_EXTRA_INDEX_URL`, …) are taken from `env`.
    """

    requirements: Annotated[
        list[Requirement],
        Meta(
            min_length=1,
            max_length=MOST,
            description="What to install, as pip names it: `polars>=1`, `lightgbm==4.6.0`, `name @ git+https://…@<commit>`.",
        ),
    ]


def requirement_problem(text: str) -> str:
    """What is wrong with one, as far as its text tells; empty where nothing is."""
    if OPEN in text:
        return ""
    if text.lstrip().startswith("-"):
        return f"'{text}' is an option of pip's: set it by `env` (`PIP_INDEX_URL`, …)"
    found = _REQUIREMENT.fullmatch(text.strip())
    if not found:
        return f"'{text}' is no requirement: `name`, `name>=1.2`, or `name @ https://…`"
    if (url := found["url"]) and "@" in urlsplit(url.removeprefix("git+")).netloc:
        return f"'{found['name']}' holds a user or a password, which everybody could read who sees the workflow"
    return ""


def _check(body: Environment) -> list[tuple[str, str]]:
    found = ((index, requirement_problem(text)) for index, text in enumerate(body.requirements))
    return [(f"requirements[{index}]", problem) for index, problem in found if problem]


_EXAMPLE = """\
name: packages
environment: {requirements: ["polars>=1", "lightgbm==4.6.0"]}
resources: {requests: {memory: 1Gi}}
"""

KIND = Kind(
    name="environment",
    order=79,
    summary="Python packages, installed once",
    body=Environment,
    command=built_in("environment"),
    outputs={"environment": "directory", "lock": "file", "packages": "integer"},
    text_fields=frozenset({"requirements"}),
    is_cached=True,
    is_open=lambda body: True,
    check=_check,
    example=_EXAMPLE,
)

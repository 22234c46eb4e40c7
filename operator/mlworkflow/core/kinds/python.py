"""`python`: a function of your own, called with what the step has and asked for what it leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.kinds._python_use import check_use
from mlworkflow.core.kinds.environment import MOST, Requirement, requirement_problem
from mlworkflow.core.kinds.git import Git, git_problems
from mlworkflow.core.names import SECRET_NAME
from mlworkflow.core.signature import LONGEST
from mlworkflow.core.values import Fields

CODE = "MLWF_CODE"
"""The variable that holds the code from a ConfigMap."""
_FROM = ("source", "config_map", "git")


class ConfigMapKey(Fields, frozen=True):
    """A key of a ConfigMap of the workflow's namespace."""

    name: Annotated[str, Meta(description="The ConfigMap.")]
    key: Annotated[str, Meta(min_length=1, description="Its key, named as the file would be: `clean.py`.")]
    sha256: Annotated[
        str | UnsetType,
        Meta(
            description="What the code must have. With it an earlier result is taken, and other code fails the step; without it the step runs every time."
        ),
    ] = UNSET


class GitFile(Git, frozen=True, kw_only=True):
    """A file of a git repository, at one commit. It is fetched once, by a step that nobody wrote."""

    path: Annotated[
        str,
        Meta(
            min_length=1,
            description="The file, from the top of the repository. What stands beside it, and at the top, can be imported.",
        ),
    ]


class Python(Fields, frozen=True):
    """Calls a function of yours: `inputs` and `params` by the names of its arguments, each as its annotation says; what it returns are the step's `outputs`. The code is one of `source`, `file`, `configMap` and `git`.

    | an argument of type | gets |
    |---|---|
    | `pandas.DataFrame`, `polars.DataFrame`, `pyarrow.Table` | the input as a table (Parquet or CSV) |
    | `pathlib.Path` | where the input is: a file or a folder |
    | `mlworkflow_steps.Model` | the model of the input, a bundle, with its own preprocessor |
    | a class of scikit-learn's (`BaseEstimator`, `Pipeline`, …) | the estimator in that bundle |
    | `dict`, `list`, `int`, `float`, `bool` | the parameter, or the input as JSON |
    | `str`, `bytes` | the parameter, or the content of the input |
    | `list[…]` of one of these | the members of a fan-out's output, in their order |

    | what it returns | is left as |
    |---|---|
    | a dict | outputs by name |
    | anything else | the one output that the step declares |
    | a data frame | Parquet |
    | a fitted scikit-learn estimator | a model bundle, where the data frame with its features and its target is one of the arguments |
    | a `Model` that it was given | the same bundle |
    | a `pathlib.Path` | the file or folder there |
    | `dict`, `list` | JSON, or an output parameter where it is declared as one |
    | `str`, `bytes` | a file with this content, or an output parameter |
    | numbers, true, false | an output parameter; it need not be declared |

    A dash in a name is an underscore in Python. A missing or a superfluous argument is found before anything runs.
    """

    source: Annotated[
        Annotated[str, Meta(max_length=LONGEST)] | UnsetType,
        Meta(description="The code itself, as it is: no expression in it."),
    ] = UNSET
    file: Annotated[
        str | UnsetType,
        Meta(
            description="A file beside the YAML file. `mlwf run`, `mlwf submit` and `mlwf lint` put its text into `source`; kubectl cannot. "
            "Beside `source` it is what the code is called in tracebacks."
        ),
    ] = UNSET
    config_map: Annotated[ConfigMapKey | UnsetType, Meta(description="The code in a ConfigMap. Not in local runs.")] = (
        UNSET
    )
    git: Annotated[GitFile | UnsetType, Meta(description="The code in a file of a git repository, at one commit.")] = (
        UNSET
    )
    function: Annotated[str, Meta(min_length=1, description="The function to call.")] = "main"
    requirements: Annotated[
        list[Requirement],
        Meta(
            max_length=MOST,
            description="Packages that the code imports, as pip names them. They are installed once, by a step that nobody wrote, for all steps and runs that name the same; a package "
            "that the image has already is not installed again.",
        ),
    ] = []
    script: Annotated[
        bool,
        Meta(
            description="Call no function: run the code as `python FILE` would. It finds what any step finds (`MLWF_IN`, `MLWF_OUT`, `MLWF_PARAMS`)."
        ),
    ] = False


def _check(body: Python) -> list[tuple[str, str]]:
    given = [name for name in _FROM if getattr(body, name) is not UNSET]
    if not given and body.file is not UNSET:
        return [("file", "is read by mlwf, into `source`: `mlwf submit` this workflow, or put the code into `source`")]
    if len(given) != 1:
        named = f"; this names {' and '.join(map(_camel, given))}" if given else ""
        return [("", f"name exactly one of: source, file, {', '.join(map(_camel, _FROM[1:]))}{named}")]
    return [*_own_problems(body)]


def _own_problems(body: Python) -> Iterator[tuple[str, str]]:
    if not body.function.isidentifier():
        yield "function", f"'{body.function}' is no name of a function"
    if body.script and body.function != "main":
        yield "function", "is not called where `script` is true"
    for index, text in enumerate(body.requirements):
        if OPEN in text:
            yield (
                f"requirements[{index}]",
                "an expression is not evaluated here: they are installed before any step runs",
            )
        elif problem := requirement_problem(text):
            yield f"requirements[{index}]", problem
    if body.git is not UNSET:
        yield from ((f"git.{field}", message) for field, message in git_problems(body.git))
        if body.git.path.startswith("/") or ".." in body.git.path.split("/"):
            yield "git.path", "is a file's path from the top of the repository"
    if body.config_map is not UNSET:
        if not re.fullmatch(SECRET_NAME, body.config_map.name) and OPEN not in body.config_map.name:
            yield "configMap.name", "is no name of a ConfigMap"
        if body.config_map.sha256 is not UNSET and not re.fullmatch(r"[0-9a-f]{64}", body.config_map.sha256):
            yield "configMap.sha256", "is 64 hexadecimal digits, lower case: `sha256sum FILE` prints them"


def _camel(name: str) -> str:
    return "configMap" if name == "config_map" else name


def _unpinned(body: Mapping[str, Any]) -> str:
    return "configMap" if "configMap" in body and "sha256" not in body["configMap"] else ""


def _variables(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The code from a ConfigMap. As a variable and no mount: of a ConfigMap that is not there the kubelet then says so in the Pod's status."""
    if "configMap" not in body:
        return []
    key = {"name": body["configMap"]["name"], "key": body["configMap"]["key"]}
    return [{"name": CODE, "valueFrom": {"configMapKeyRef": key}}]


_EXAMPLE = """\
name: clean
inputs: {raw: {from: {http: "https://example.org/rides.csv"}}}
params: {longest: 90}
python:
  source: |
    import pandas as pd

    def main(raw: pd.DataFrame, longest: float = 60):
        kept = raw[raw["minutes"].between(1, longest)]
        return {"table": kept, "dropped": len(raw) - len(kept)}
outputs: {table: {}, dropped: {type: integer}}
"""

KIND = Kind(
    name="python",
    order=80,
    summary="a function of your own, without an image of your own",
    body=Python,
    command=built_in("python"),
    open_parameters=True,
    literal_fields=frozenset({"source"}),
    is_cached=True,
    is_open=lambda body: True,
    unpinned=_unpinned,
    variables=_variables,
    check=_check,
    check_use=check_use,
    example=_EXAMPLE,
)

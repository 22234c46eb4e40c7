"""`git`: the files of a repository at one commit, as an artifact. `git` of a `python` step stands for such a step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.expressions import OPEN
from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.names import SECRET_NAME
from mlworkflow.core.values import Fields

COMMIT = r"[0-9a-f]{40}"
_VARIABLES = {"MLWF_GIT_USERNAME": "username", "MLWF_GIT_PASSWORD": "password"}
Text = Annotated[str, Meta(max_length=2048)]


class Git(Fields, frozen=True):
    """Fetches one commit of a repository. Leaves `code`, a folder with its files, without its history, submodules and large files (LFS).

    A `python` step takes it as its input `python-code`; `git` there is short for both. Any other step can take it too.
    """

    url: Annotated[
        Text, Meta(description="The repository: `https://…`, `http://…`, or `file:///…` that the step can see.")
    ]
    commit: Annotated[Text, Meta(description="The commit, all 40 hexadecimal digits: a branch or a tag may move.")]
    secret: Annotated[
        Text | UnsetType,
        Meta(
            description="A Secret of the namespace with the keys `username` and `password` (or a token as password). Default: the repository is public. "
            "A local run takes `MLWF_GIT_USERNAME` and `MLWF_GIT_PASSWORD` of its environment instead."
        ),
    ] = UNSET


def git_problems(body: Git) -> Iterator[tuple[str, str]]:
    """What is wrong with one: (field, message). What an expression stands for is looked at when it is known."""
    if OPEN not in body.url:
        parts = urlsplit(body.url)
        if parts.scheme not in ("https", "http", "file") or not (parts.netloc or parts.scheme == "file"):
            yield "url", "begins with https://, http:// or file://"
        elif "@" in parts.netloc:
            yield "url", "holds a user or a password, which everybody could read who sees the workflow: name a `secret`"
    if OPEN not in body.commit and not re.fullmatch(COMMIT, body.commit):
        yield (
            "commit",
            f"'{body.commit}' is no commit: write its 40 hexadecimal digits (`git rev-parse HEAD`); a branch or a tag may move",
        )
    if body.secret is not UNSET and OPEN not in body.secret and not re.fullmatch(SECRET_NAME, body.secret):
        yield "secret", "is no name of a Secret"


def _check(body: Git) -> list[tuple[str, str]]:
    return list(git_problems(body))


def _credentials(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "secret" not in body:
        return []
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": body["secret"], "key": key}}}
        for name, key in _VARIABLES.items()
    ]


_EXAMPLE = """\
name: ours
git: {url: "https://git.example.org/ml/steps.git", commit: 0d1d7fc32e5a4b8e1c6a3f1f0a9c9c3b7a6f5e4d}
"""

KIND = Kind(
    name="git",
    order=2,
    summary="the files of a git repository at one commit",
    body=Git,
    command=built_in("git"),
    outputs={"code": "directory", "files": "integer"},
    text_fields=frozenset(Git.__struct_encode_fields__),
    is_cached=True,
    variables=_credentials,
    check=_check,
    example=_EXAMPLE,
)

"""`git`: the files of a repository at one commit. A commit is named by its content, so what comes is what was meant."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Any

from dulwich.client import HTTPUnauthorized, get_transport_and_path
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.objects import Commit, ObjectID
from dulwich.repo import Repo
from urllib3.exceptions import HTTPError

from mlworkflow_steps.context import Context
from mlworkflow_steps.errors import SpecInvalid, StepFailure, first_line
from mlworkflow_steps.spec import Fields

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ILL = re.compile(r"unexpected http resp (5\d\d|429)")
"""What dulwich says of a server that may be well again."""
_SCHEMES = ("https://", "http://", "file://")


def run(context: Context) -> None:
    """Leaves `code` and how many `files` it has. Raises StepFailure: GitUnreachable, which may pass, or InputInvalid."""
    fields = Fields(context.spec, "git")
    url, commit, secret = fields.required_text("url"), fields.required_text("commit"), fields.text("secret")
    fields.done()
    if not url.startswith(_SCHEMES):
        raise SpecInvalid("git.url", "begins with https://, http:// or file://")
    if not _COMMIT.fullmatch(commit):
        raise SpecInvalid("git.commit", f"'{commit}' is no commit: write its 40 hexadecimal digits")
    user, password = os.environ.get("MLWF_GIT_USERNAME"), os.environ.get("MLWF_GIT_PASSWORD")
    if secret and not password:
        raise StepFailure(
            "InputInvalid", "secret: a local run takes MLWF_GIT_USERNAME and MLWF_GIT_PASSWORD of its environment"
        )
    folder = context.output("code")
    folder.mkdir()
    with tempfile.TemporaryDirectory() as scratch, Repo.init_bare(scratch) as repo:
        _fetch(repo, url, commit, user if secret else None, password if secret else None)
        count = _check_out(repo, commit, folder)
    context.set_parameter("files", count)
    print(f"{url} at {commit}: {count} files")


def _fetch(repo: Repo, url: str, commit: str, user: str | None, password: str | None) -> None:
    wanted = ObjectID(commit.encode())
    try:
        client, path = get_transport_and_path(url, username=user, password=password, quiet=True)
        client.fetch(path, repo, determine_wants=lambda refs, depth=None: [wanted], depth=1)
    except HTTPUnauthorized as error:
        raise StepFailure(
            "InputInvalid", f"url: {url} wants a user and a password, or other ones: name a `secret`"
        ) from error
    except NotGitRepository as error:
        raise StepFailure("InputInvalid", f"url: there is no git repository at {url}") from error
    except (HangupException, HTTPError, OSError) as error:
        raise StepFailure("GitUnreachable", f"url: {url}: {first_line(error)}") from error
    except (GitProtocolError, KeyError, AssertionError, ValueError) as error:
        if isinstance(error.__cause__ or error.__context__, HTTPError | OSError) or _ILL.search(str(error)):
            raise StepFailure("GitUnreachable", f"url: {url}: {first_line(error)}") from error
        raise StepFailure("InputInvalid", f"commit: {url} does not give {commit}: {first_line(error)}") from error
    if wanted not in repo.object_store or not isinstance(repo[wanted], Commit):
        raise StepFailure("InputInvalid", f"commit: {url} has no commit {commit}")


def _check_out(repo: Repo, commit: str, folder: Path) -> int:
    """The files of a commit, links last, so that none is written through. Their number."""
    found: Any = repo[ObjectID(commit.encode())]
    entries = [entry for entry in repo.object_store.iter_tree_contents(found.tree) if entry.mode and entry.path]
    links = [entry for entry in entries if stat.S_ISLNK(entry.mode)]
    files = [entry for entry in entries if stat.S_ISREG(entry.mode)]
    for entry in (*files, *links):
        target = folder / _safe(os.fsdecode(entry.path))
        target.parent.mkdir(parents=True, exist_ok=True)
        data = repo[entry.sha].as_raw_string()
        if entry in links:
            target.symlink_to(os.fsdecode(data))
            continue
        target.write_bytes(data)
        target.chmod(0o755 if entry.mode & 0o100 else 0o644)
    return len(files) + len(links)


def _safe(path: str) -> Path:
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/")):
        raise StepFailure("InputInvalid", f"commit: holds a file '{path}', which leads elsewhere")
    return Path(path)

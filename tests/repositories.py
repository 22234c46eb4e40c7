"""A git repository of the tests, and git's own HTTP server for it."""

from __future__ import annotations

import base64
import contextlib
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USER, PASSWORD = "ada", "open-sesame"


@dataclass(frozen=True, slots=True)
class Repository:
    """`first` is a commit that no branch names any more."""

    folder: Path
    first: str
    second: str

    @property
    def url(self) -> str:
        return f"file://{self.folder}"


def git(folder: Path, *args: str) -> str:
    names = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), **names}
    return subprocess.run(
        ["git", *args], cwd=folder, env=env, check=True, capture_output=True, text=True
    ).stdout.strip()


def make_repository(folder: Path) -> Repository:
    """Two commits in an empty folder."""
    git(folder, "init", "-q", "-b", "main")
    (folder / "steps").mkdir()
    (folder / "steps/clean.py").write_text(
        "import beside\nimport shared.words\ndef main(n: int): return {'said': shared.words.WORD * n + beside.END}\n"
    )
    (folder / "steps/beside.py").write_text("END = '!'\n")
    (folder / "shared").mkdir()
    (folder / "shared/words.py").write_text("WORD = 'ho'\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("shared/words.py")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    first = git(folder, "rev-parse", "HEAD")
    (folder / "shared/words.py").write_text("WORD = 'hey'\n")
    git(folder, "commit", "-q", "-a", "--amend", "-m", "two")
    return Repository(folder, first, git(folder, "rev-parse", "HEAD"))


@contextlib.contextmanager
def served_repository(repository: Repository, host: str) -> Iterator[str]:
    """The address of git's own server for the repository, at `/ours/.git`; it asks for a user and a password below `/private`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if path.startswith("/private") and self.headers.get("Authorization") != f"Basic {expected}":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            env = {
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(repository.folder), "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command,
                "PATH_INFO": path.removeprefix("/private").removeprefix("/ours"), "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "", "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
            }  # fmt: skip
            done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *given: Any) -> None:
            return

    with http.server.ThreadingHTTPServer((host, 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://{host}:{running.server_port}"
        running.shutdown()

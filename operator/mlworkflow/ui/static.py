"""The page itself: what `make web` has built. Files with a hash in their names never change; everything else is asked for each time."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, PlainTextResponse, Response

FOLDER = Path(__file__).parent / "static"
INDEX = "index.html"
HASHED = "assets/"
NOT_BUILT = "The page is not built yet. Run: make web\n"
_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
_ASK = {"cache-control": "no-cache"}


def is_built(folder: Path = FOLDER) -> bool:
    return (folder / INDEX).is_file()


def page(path: str, folder: Path = FOLDER) -> Response:
    """A file of the page; for any other path the page, which knows its own addresses."""
    if not is_built(folder):
        return PlainTextResponse(NOT_BUILT, 503)
    file = (folder / path).resolve()
    if path and file.is_relative_to(folder.resolve()) and file.is_file():
        return FileResponse(file, headers=_FOREVER if path.startswith(HASHED) else _ASK)
    if path.startswith(HASHED) or "." in path.rpartition("/")[2]:
        raise HTTPException(404)
    return FileResponse(folder / INDEX, headers=_ASK)

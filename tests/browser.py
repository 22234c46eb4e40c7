"""A page in a real browser, as a person would see it: what it asks of the network, whether it fits its window, and a picture of it.

Headless Chromium, driven by its DevTools protocol: no driver of another project in between. `make prepare` installs it where it may.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PATIENCE = 90.0
_OPTIONS = (
    "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
)  # fmt: skip
_MEASURED = """(() => {
    const page = document.documentElement, boxes = selector => [...document.querySelectorAll(selector)].map(each => each.getBoundingClientRect());
    const escaping = [...document.querySelectorAll('h1,h2,p,svg,header,section,.card,li,summary,figcaption,.scroll')].filter(each => {
        const box = each.getBoundingClientRect(); return box.width && !each.parentElement.closest('.scroll') && (box.right > innerWidth + 1 || box.left < -1);
    }).map(each => each.tagName + ' ' + each.textContent.slice(0, 40));
    return JSON.stringify({
        width: page.scrollWidth, height: page.scrollHeight, escaping,
        titles: [...document.querySelectorAll('h2,figcaption')].map(each => each.textContent),
        charts: boxes('svg[role=img]').filter(box => box.width > 100 && box.height > 10).length,
        empty: boxes('svg').filter(box => !box.width || !box.height).length,
        background: getComputedStyle(document.body).backgroundColor,
    });
})()"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A page in a window. `requests` are those beside the page itself, `complaints` what the browser's console says; `escaping` is what is cut off
    at the window's edge, `charts` how many there are with a size, `empty` how many drawings have none."""

    requests: list[str]
    complaints: list[str]
    width: int
    height: int
    escaping: list[str]
    titles: list[str]
    charts: int
    empty: int
    background: str
    picture: bytes = field(repr=False)


class Browser:
    """A browser that runs; `look` opens a page in a window of its own."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: dict[str, list[dict[str, Any]]] = {}
        self._loaded: dict[str, asyncio.Event] = {}

    async def listen(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
                continue
            session = said.get("sessionId", "")
            self._events.setdefault(session, []).append(said)
            if said["method"] == "Page.loadEventFired":
                self._loaded.setdefault(session, asyncio.Event()).set()

    async def _ask(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        await self._socket.send_json(
            {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        )
        said = await asyncio.wait_for(answer, _PATIENCE)
        assert "error" not in said, f"{method}: {said.get('error')}"
        result: dict[str, Any] = said["result"]
        return result

    async def look(self, file: Path, width: int, *, scheme: str = "light") -> Seen:
        """The page of a file in a window `width` pixels wide, for a reader who prefers `light` or `dark`."""
        target = (await self._ask("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self._ask("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        for domain in ("Network", "Page", "Log", "Runtime"):
            await self._ask(f"{domain}.enable", session)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        await self._ask("Emulation.setDeviceMetricsOverride", session, **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self._ask("Emulation.setEmulatedMedia", session, features=features)
        loaded = self._loaded[session] = asyncio.Event()
        self._events[session] = []
        await self._ask("Page.navigate", session, url=file.as_uri())
        await asyncio.wait_for(loaded.wait(), _PATIENCE)
        result = (await self._ask("Runtime.evaluate", session, expression=_MEASURED))["result"]
        picture = await self._ask("Page.captureScreenshot", session, captureBeyondViewport=True)
        events = self._events.pop(session)
        await self._ask("Target.closeTarget", targetId=target)
        asked = [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]
        complaints = [str(each["params"]) for each in events if each["method"] in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")]  # fmt: skip
        assert asked[:1] == [file.as_uri()]
        return Seen(asked[1:], complaints, **json.loads(result["value"]), picture=base64.b64decode(picture["data"]))


@contextlib.asynccontextmanager
async def browser(home: Path) -> AsyncIterator[Browser]:
    """Starts a browser that keeps its things in `home`, and ends it."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    assert program, f"no browser here, none of {', '.join(NAMES)}: `make prepare TIERS=component` installs one"
    command = (program, *_OPTIONS, f"--user-data-dir={home}", "about:blank")
    environ = {**os.environ, "HOME": str(home)}
    process = await asyncio.create_subprocess_exec(*command, env=environ, stderr=asyncio.subprocess.PIPE)
    try:
        assert process.stderr is not None
        address = await asyncio.wait_for(_address(process.stderr), _PATIENCE)
        draining = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as client, client.ws_connect(address, max_msg_size=0) as socket:
            found = Browser(socket)
            listening = asyncio.create_task(found.listen())
            yield found
            listening.cancel()
        draining.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _address(stderr: asyncio.StreamReader) -> str:
    """What the browser says of where it listens, on loopback."""
    said = b""
    while line := await stderr.readline():
        said += line
        if line.startswith(b"DevTools listening on "):
            return line.decode().rpartition(" ")[2].strip()
    raise AssertionError(f"the browser has ended: {said.decode(errors='replace')}")

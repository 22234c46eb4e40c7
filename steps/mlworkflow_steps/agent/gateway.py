"""The gateway as the agent sees it: one method per call of the contract, each of which waits as long as it must.

The token is read anew for every try, so a rotation goes unnoticed. Raises `Superseded`, `GatewayRefused`, `GaveUp`.
"""

from __future__ import annotations

import json

from mlworkflow_steps.agent import wire
from mlworkflow_steps.agent.errors import GatewayRefused, GaveUp, Superseded
from mlworkflow_steps.agent.patience import Patience

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from typing import Any

LONGEST_ANSWER = 64 << 20  # a task with its parameters, of up to 1 MiB each
_FINAL = (400, 403, 404, 405, 413, 422)


class Gateway:
    """A client of the gateway at `url`, with the token in `token_file`; `rider` is which of the attempts that share a Pod it speaks for."""

    def __init__(self, url: str, token_file: str, patience: Patience, rider: str = "") -> None:
        self._url = url.rstrip("/")
        self._token_file = token_file
        self.patience = patience
        self.rider = rider
        self._outputs = "outputs"

    def with_patience(self, patience: Patience) -> Gateway:
        """The same gateway, asked by somebody who waits for a longer or a shorter time."""
        return Gateway(self._url, self._token_file, patience, self.rider)

    def of_rider(self, rider: str) -> Gateway:
        """The same gateway, asked by one of the attempts that share a Pod."""
        gateway = Gateway(self._url, self._token_file, self.patience, rider)
        self.patience.tell = gateway.waiting
        return gateway

    def for_what_is_left(self, patience: Patience) -> Gateway:
        """The same gateway, asked where to put artifacts by an attempt that cannot commit any more."""
        gateway = self.with_patience(patience)
        gateway._outputs = "left"
        return gateway

    def task(self) -> dict[str, Any]:
        """What to do."""
        return self._call("GET", "/v1/task")

    def input_url(self, name: str) -> str:
        """A fresh URL to read an input from."""
        return self._absolute(self._call("POST", f"/v1/inputs/{_quoted(name)}", {})["url"])

    def member_urls(self, name: str, digests: list[str]) -> dict[str, str]:
        """Fresh URLs to read members of an input that is a collection, at most 500 at once."""
        urls = self._call("POST", f"/v1/inputs/{_quoted(name)}/members", {"digests": digests})["urls"]
        return {digest: self._absolute(url) for digest, url in urls.items()}

    def checkpoint_url(self) -> str:
        """A fresh URL to read what the attempt before left in its checkpoint folder."""
        return self._absolute(self._call("GET", "/v1/checkpoint")["url"])

    def checkpoint(self, artifact: dict[str, Any]) -> None:
        """Notes a stored checkpoint for the next attempt."""
        self._call("POST", "/v1/checkpoint", artifact)

    def logs(self, artifact: dict[str, Any]) -> None:
        """Notes the stored log of an attempt that cannot commit any more."""
        self._call("POST", "/v1/logs", artifact)

    def left(self, outputs: dict[str, Any]) -> None:
        """Notes stored artifacts of an attempt that cannot commit any more."""
        self._call("POST", "/v1/left", {"outputs": outputs})

    def output_place(self, name: str, artifact: dict[str, Any]) -> tuple[str, dict[str, str]] | None:
        """Where and with which headers to PUT an artifact; None when it is there already."""
        place = self._call("POST", f"/v1/{self._outputs}/{_quoted(name)}", artifact)
        return None if place.get("exists") else (self._absolute(place["url"]), place.get("headers") or {})

    def begin_parts(self, name: str, plan: dict[str, Any]) -> dict[str, Any] | None:
        """Begins to store an artifact in parts, or goes on with it; None where it must be stored whole."""
        try:
            return self._call("POST", f"/v1/{self._outputs}/{_quoted(name)}/parts", plan)
        except GatewayRefused as error:
            if error.status == 404:
                return None
            raise

    def part_places(self, name: str, wanted: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
        """Where and with which headers to PUT some parts of an upload, at most 200."""
        places = self._call("POST", f"/v1/{self._outputs}/{_quoted(name)}/parts/urls", wanted)["parts"]
        return [(self._absolute(place["url"]), place.get("headers") or {}) for place in places]

    def complete_parts(self, name: str, wanted: dict[str, Any]) -> None:
        """Makes the artifact of its parts; returns once it is there."""
        self._call("POST", f"/v1/{self._outputs}/{_quoted(name)}/parts/complete", wanted)

    def metrics(self, points: list[dict[str, Any]], first: int, heard: int) -> dict[str, Any]:
        """Sends metrics, in one try: `first` were sent before them, `heard` are answered already. The answer may ask to `stop`, or to send all `again`.

        Raises `OSError` when the gateway is away.
        """
        body = {"metrics": points, "first": first, "heard": heard}
        status, _, data = self._try("POST", "/v1/metrics", body, timeout=10.0)
        if status == 409:
            raise Superseded
        if status != 200:
            raise OSError(f"the gateway answered {status}")
        return _parsed(data)

    def waiting(self, waiting: dict[str, Any] | None) -> None:
        """Says what is waited for, in one try. Raises `OSError` when the gateway is away."""
        status, _, _ = self._try("POST", "/v1/waiting", {"waiting": waiting}, timeout=5.0)
        if status != 200:
            raise OSError(f"the gateway answered {status}")

    def ended(self, wait: float) -> dict[str, Any]:
        """How the user's container ended: ``{"ended": …}``."""
        return self._call("GET", f"/v1/ended?wait={wait:g}", timeout=wait + wire.ANSWER_SECONDS)

    def commit(self, result: dict[str, Any]) -> None:
        """Hands the result over; returns once it is kept."""
        self._call("POST", "/v1/commit", result)

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None, timeout: float = wire.ANSWER_SECONDS
    ) -> dict[str, Any]:
        tries = self.patience.tries("the gateway")
        while True:
            after, is_there = None, False
            try:
                status, headers, data = self._try(method, path, body, timeout)
                if status == 200:
                    answered = _parsed(data)
                    tries.reset()
                    return answered
                answer = _parsed(data)
                words = str(answer.get("error") or f"the gateway answered {status}")
                if status == 409:
                    raise Superseded(words)
                if status in _FINAL:
                    raise GatewayRefused(status, words, answer.get("missing") or ())
                after, is_there = retry_after(headers), True
            except OSError as error:
                words = f"{type(error).__name__}: {error}"
            if not tries.again(words, after, is_told=is_there):
                raise GaveUp(f"the gateway: {words}")

    def _try(
        self, method: str, path: str, body: dict[str, Any] | None, timeout: float
    ) -> tuple[int, dict[str, str], bytes]:
        with open(self._token_file, encoding="utf-8") as file:
            headers = {"Authorization": f"Bearer {file.read().strip()}"}
        if self.rider:
            headers["X-Mlworkflow-Rider"] = self.rider
        data = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            text = json.dumps(body, allow_nan=False, ensure_ascii=False)
            data = text.encode("utf-8", "replace")  # half a surrogate pair can only be in words for people
        with wire.request(method, self._url + path, headers, data, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read(LONGEST_ANSWER)

    def _absolute(self, url: str) -> str:
        """A URL may be relative to the gateway's own: in a local run the gateway serves the store."""
        return self._url + url if url.startswith("/") else url


def retry_after(headers: dict[str, str]) -> float | None:
    """The seconds that an answer asks to wait."""
    text = headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise wire.BrokenAnswer("the answer is not JSON") from error
    if not isinstance(value, dict):
        raise wire.BrokenAnswer("the answer is not a JSON object")
    return value


def _quoted(name: str) -> str:
    plain = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
    return "".join(c if c in plain else "".join(f"%{byte:02X}" for byte in c.encode()) for c in name)

"""The races of the reflector, played out move by move on a scripted source."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from mlworkflow.kube.errors import Gone
from mlworkflow.kube.reflector import Reflector
from mlworkflow.kube.streams import WatchEvent
from mlworkflow.kube.transport import Params

from tests.unit.kube.fake_clock import FakeClock

Json = dict[str, Any]
Move = Callable[["Play"], object]


def pod(name: str, version: int, phase: str | None = "new") -> Json:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "phase": phase}


class Play:
    """A source that plays lists (pages of Pods at one version) and watches (events), and calls a move wherever one stands."""

    def __init__(self, *script: tuple[str, Any]) -> None:
        self.script = list(script)
        self.changes: list[tuple[str, str | None, str | None]] = []
        self.chunks: list[int] = []
        self.over = asyncio.Event()
        self.reflector: Reflector[str] = Reflector(
            self, "/pods", project=lambda obj: obj["phase"], on_change=self._changed, clock=FakeClock()
        )

    async def play(self) -> dict[str, str]:
        run = asyncio.create_task(self.reflector.run())
        await self.over.wait()
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run
        return dict(self.reflector.objects)

    async def pages(self, path: str, params: Params | None = None, *, chunk: int = 500) -> AsyncGenerator[Json, None]:
        self.chunks.append(chunk)
        version, *parts = self._next("list")
        for part in parts:
            if isinstance(part, Exception):
                raise part
            if callable(part):
                part(self)
            else:
                yield {"metadata": {"resourceVersion": str(version)}, "items": part}

    async def watch(
        self, path: str, params: Params | None = None, *, inactivity_timeout: float = 70.0
    ) -> AsyncGenerator[WatchEvent, None]:
        if not self.script:
            self.over.set()
            await asyncio.Event().wait()
        for part in self._next("watch"):
            if isinstance(part, Exception):
                raise part
            if callable(part):
                part(self)
            else:
                yield WatchEvent(*part)

    def _next(self, kind: str) -> Any:
        found, parts = self.script.pop(0)
        assert found == kind
        return parts

    def _changed(self, key: str, old: str | None, new: str | None) -> None:
        self.changes.append((key, old, new))
        if new == "explosive":
            raise RuntimeError("a bug")


def insert(obj: Json) -> Move:
    return lambda play: play.reflector.insert(obj)


async def test_an_insert_is_not_undone_by_an_older_event_of_that_name() -> None:
    play = Play(
        ("list", [5, [pod("a", 4)]]),
        ("watch", [insert(pod("a", 9, "second")), ("MODIFIED", pod("a", 6, "old")), ("DELETED", pod("a", 7))]),
    )
    assert await play.play() == {"a": "second"}
    assert play.changes == [("a", None, "new"), ("a", "new", "second")]


async def test_an_insert_during_a_list_of_an_earlier_snapshot_stays() -> None:
    play = Play(("list", [5, insert(pod("ours", 6)), [pod("a", 4)], insert(pod("too", 7)), [pod("b", 4)]]))
    assert await play.play() == {"ours": "new", "too": "new", "a": "new", "b": "new"}


async def test_an_insert_that_the_snapshot_knows_as_deleted_goes() -> None:
    play = Play(("list", [9, [pod("a", 4)], insert(pod("ours", 6))]))
    assert await play.play() == {"a": "new"}
    assert play.changes[1:] == [("ours", None, "new"), ("ours", "new", None)]


async def test_an_insert_that_the_snapshot_knows_better_changes_nothing() -> None:
    play = Play(("list", [9, [pod("ours", 8, "Running")], insert(pod("ours", 6))]))
    assert await play.play() == {"ours": "Running"}
    assert play.changes == [("ours", None, "Running")]


async def test_a_late_answer_does_not_bring_a_deleted_object_back() -> None:
    play = Play(
        ("list", [5, []]),
        ("watch", [("ADDED", pod("ours", 6)), ("DELETED", pod("ours", 8)), insert(pod("ours", 6))]),
    )
    assert await play.play() == {}
    assert play.changes == [("ours", None, "new"), ("ours", "new", None)]


async def test_a_late_answer_after_a_bookmark_brings_nothing() -> None:
    play = Play(
        ("list", [5, []]), ("watch", [("BOOKMARK", {"metadata": {"resourceVersion": "8"}}), insert(pod("ours", 6))])
    )
    assert await play.play() == {}


async def test_an_insert_before_the_first_list_is_checked_by_it() -> None:
    play = Play(("list", [9, [pod("a", 4)]]))
    play.reflector.insert(pod("gone", 6))
    play.reflector.insert(pod("later", 10))
    assert await play.play() == {"a": "new", "later": "new"}


async def test_an_insert_that_nothing_confirms_goes_with_the_next_list() -> None:
    play = Play(("list", [5, []]), ("watch", [insert(pod("ours", 6)), Gone(410, "Expired", "")]), ("list", [9, []]))
    assert await play.play() == {}


async def test_a_deletion_at_the_version_of_the_last_change_counts() -> None:
    play = Play(("list", [5, [pod("a", 4)]]), ("watch", [("DELETED", pod("a", 4))]))
    assert await play.play() == {}


async def test_after_the_loss_of_history_the_server_is_right() -> None:
    play = Play(
        ("list", [50, [pod("a", 40), pod("b", 41)]]),
        ("watch", [Gone(410, "Expired", "")]),
        ("list", [20, [pod("a", 10, "restored")]]),
        ("watch", [("ADDED", pod("c", 21))]),
    )
    assert await play.play() == {"a": "restored", "c": "new"}
    assert play.reflector.resource_version == 21


async def test_an_expired_snapshot_is_replaced_by_one_page() -> None:
    play = Play(("list", [5, [pod("a", 4)], Gone(410, "Expired", "")]), ("list", [9, [pod("b", 8)]]))
    assert await play.play() == {"b": "new"}
    assert play.chunks == [500, 0]


async def test_an_object_of_no_interest_is_not_kept() -> None:
    play = Play(
        ("list", [5, [pod("a", 4), pod("b", 4, None)]]),
        ("watch", [("MODIFIED", pod("a", 6, None)), ("MODIFIED", pod("b", 7))]),
    )
    assert await play.play() == {"b": "new"}
    assert play.changes == [("a", None, "new"), ("a", "new", None), ("b", None, "new")]


async def test_a_bug_costs_only_the_change_it_meets(caplog: pytest.LogCaptureFixture) -> None:
    broken = pod("b", 6)
    del broken["phase"]
    play = Play(
        ("list", [5, [pod("a", 4, "explosive"), pod("b", 4)]]),
        ("watch", [("MODIFIED", broken), ("ADDED", pod("c", 7))]),
    )
    assert await play.play() == {"a": "explosive", "b": "new", "c": "new"}
    assert play.reflector.statistics().failures == 0
    assert "a bug in the projection" in caplog.text
    assert "a bug in the handling of a change" in caplog.text


async def test_trouble_backs_off_and_then_lists_again() -> None:
    down: Callable[[], Awaitable[None]] | Exception = ConnectionError("down")
    play = Play(("list", [5, []]), *[("watch", [down])] * 3, ("list", [6, [pod("a", 6)]]))
    assert await play.play() == {"a": "new"}
    assert play.reflector.statistics().failures == 3

"""The work queue: client-go's semantics by example, and its invariants under arbitrary histories."""

import asyncio
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.queue import QueueStatistics, ShutDown, WorkQueue

from tests.unit.kube.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> WorkQueue[str]:
    return WorkQueue(clock=clock, backoff=Backoff(base=1, cap=5, random=lambda: 1.0))


async def test_keys_come_in_the_order_in_which_they_were_first_added(queue: WorkQueue[str]) -> None:
    for key in "abac":
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["a", "b", "c"]
    assert queue.statistics() == QueueStatistics(depth=0, in_flight=3, waiting=0, oldest_age=0)


async def test_a_key_added_during_its_work_waits_until_that_is_done(queue: WorkQueue[str], clock: FakeClock) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("a")
    clock.advance(3)
    assert queue.statistics() == QueueStatistics(depth=1, in_flight=1, waiting=0, oldest_age=3, longest=3)
    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not getter.done()
    queue.done("a")
    assert await getter == "a"
    queue.done("a")
    assert queue.statistics() == QueueStatistics(0, 0, 0, 0)


async def test_of_several_moments_the_earliest_counts(queue: WorkQueue[str], clock: FakeClock) -> None:
    queue.add_after("a", 10)
    queue.add_after("a", 5)
    queue.add_after("a", 7)
    clock.advance(4.9)
    assert queue.statistics().depth == 0
    clock.advance(0.1)
    assert queue.statistics() == QueueStatistics(depth=1, in_flight=0, waiting=0, oldest_age=0)
    queue.done(await queue.get())
    clock.advance(100)
    assert queue.statistics().depth == 0


async def test_a_void_moment_does_not_pile_up(queue: WorkQueue[str], clock: FakeClock) -> None:
    for _ in range(1000):
        queue.add_after("a", 10_000)
        queue.add_after("a", 1)
        clock.advance(1)
        queue.done(await queue.get())
    assert len(queue._heap) < 100
    assert len(clock.timers) <= 1


async def test_no_delay_means_now(queue: WorkQueue[str]) -> None:
    queue.add_after("a", 0)
    queue.add_after("b", -1)
    assert queue.statistics().depth == 2


async def test_each_failure_of_a_key_doubles_its_delay_until_it_is_forgotten(
    queue: WorkQueue[str], clock: FakeClock
) -> None:
    delays = []
    for _ in range(4):
        delays.append(queue.add_rate_limited("bad"))
        clock.advance(5)
        queue.done(await queue.get())
    assert delays == [1, 2, 4, 5]
    assert queue.failures("bad") == 4
    assert queue.add_rate_limited("other") == 1
    queue.forget("bad")
    queue.forget("bad")
    assert queue.add_rate_limited("bad") == 1


async def test_a_cancelled_getter_passes_its_call_on(queue: WorkQueue[str]) -> None:
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await asyncio.wait_for(second, 1) == "a"


async def test_shutting_down_lets_waiting_work_be_finished(queue: WorkQueue[str], clock: FakeClock) -> None:
    queue.add("a")
    queue.add_after("later", 1)
    queue.shut_down()
    queue.add("b")
    queue.add_after("c", 1)
    clock.advance(2)
    assert await queue.get() == "a"
    with pytest.raises(ShutDown):
        await queue.get()


async def test_shutting_down_wakes_everybody(queue: WorkQueue[str]) -> None:
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.shut_down()
    results = await asyncio.gather(*getters, return_exceptions=True)
    assert [type(result) for result in results] == [ShutDown] * 3


class QueueHistories(RuleBasedStateMachine):
    """Any order of additions, delays, failures, takings, endings and passing time, against the plainest model there is."""

    keys = st.sampled_from("abcde")
    delays = st.floats(0.1, 20)

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.queue: WorkQueue[str] = WorkQueue(clock=self.clock, backoff=Backoff(1, 8, random=random.Random(7).random))
        self.wanted: set[str] = set()
        self.working: set[str] = set()
        self.due: dict[str, float] = {}

    @rule(key=keys)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self.wanted.add(key)

    @rule(key=keys, delay=delays)
    def add_after(self, key: str, delay: float) -> None:
        self.queue.add_after(key, delay)
        self._expect(key, delay)

    @rule(key=keys)
    def fail(self, key: str) -> None:
        self._expect(key, self.queue.add_rate_limited(key))

    @rule(key=keys)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        assert self.queue.failures(key) == 0

    @rule(delay=delays)
    def wait(self, delay: float) -> None:
        self.clock.advance(delay)
        for key in [key for key, due in self.due.items() if due <= self.clock.now()]:
            del self.due[key]
            self.wanted.add(key)

    @precondition(lambda self: self.wanted - self.working)
    @rule()
    def take(self) -> None:
        key = asyncio.run(asyncio.wait_for(self.queue.get(), 1))
        assert key in self.wanted
        assert key not in self.working
        self.wanted.remove(key)
        self.working.add(key)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.done(key)
        self.working.remove(key)

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        statistics = self.queue.statistics()
        assert (statistics.depth, statistics.in_flight, statistics.waiting) == (
            len(self.wanted),
            len(self.working),
            len(self.due),
        )
        assert statistics.oldest_age >= 0

    def teardown(self) -> None:
        """Whatever happened, working everything off ends with everything done."""
        self.wait(100)
        while self.wanted or self.working:
            for key in sorted(self.working):
                self.queue.done(key)
            self.working.clear()
            while self.wanted:
                self.take()
        self.nothing_is_lost_or_doubled()

    def _expect(self, key: str, delay: float) -> None:
        self.due[key] = min(self.due.get(key, float("inf")), self.clock.now() + delay)


QueueHistories.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueueHistories = QueueHistories.TestCase

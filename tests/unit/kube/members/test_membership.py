"""The state of a member: who owns what is never two, whatever is slow, lost, frozen or dead; and in the end it is one."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Generator
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from mlworkflow.kube.members.membership import NOBODY, Membership, Sighting, Terms

KEYS = [f"uid-{number}" for number in range(12)]
TERMS = Terms()


class Leases:
    """What the API server holds: each write and each list is one moment."""

    def __init__(self) -> None:
        self.held: dict[str, Sighting] = {}
        self._versions = itertools.count(1)

    def write(self, member: Membership, view: frozenset[str], *, is_here: bool = True) -> None:
        version = str(next(self._versions))
        self.held[member.name] = Sighting(
            member.name, version, member.scheme, member.since, view, f"http://{member.name}", is_here
        )

    def cycle(self, member: Membership, now: float, *, is_busy: bool = False) -> None:
        self.write(member, member.begin(now, is_busy=is_busy))
        member.renewed(now, now)
        member.seen(self.held.values(), now, now)


def settled(leases: Leases, *members: Membership, at: float = 0.0) -> None:
    for _ in range(4):
        for member in members:
            leases.cycle(member, at)


def owners(now: float, *members: Membership) -> dict[str, list[str]]:
    return {key: [member.name for member in members if member.owns(key, now)] for key in KEYS}


def member(name: str, scheme: str = "s", since: str = "2026") -> Membership:
    return Membership(name, scheme, since, TERMS)


def test_who_is_alone_owns_all_once_it_has_looked_round() -> None:
    leases, one = Leases(), member("one")
    leases.cycle(one, 0.0)
    assert not any(one.owns(key, 0.0) for key in KEYS)
    leases.cycle(one, 0.0)
    assert all(one.owns(key, 0.0) for key in KEYS)


def test_several_share_and_each_key_has_one() -> None:
    leases, members = Leases(), [member(name) for name in ("one", "two", "three")]
    settled(leases, *members)
    shares = owners(0.0, *members)
    assert all(len(share) == 1 for share in shares.values())
    assert {share[0] for share in shares.values()} == {"one", "two", "three"}
    for key, (name,) in shares.items():
        assert all(it.believed(key) == ("" if it.name == name else f"http://{name}") for it in members)


def test_who_could_not_renew_has_stopped_before_others_take_over() -> None:
    leases, one, two = Leases(), member("one"), member("two")
    settled(leases, one, two)
    mine = next(key for key in KEYS if one.owns(key, 0.0))
    assert one.owns(mine, TERMS.deadline - 0.1)
    assert not one.owns(mine, TERMS.deadline)
    leases.cycle(two, TERMS.duration)
    assert not two.owns(mine, TERMS.duration)
    for _ in range(2):
        leases.cycle(two, TERMS.duration + 0.1)
    assert two.owns(mine, TERMS.duration + 0.1)


def test_what_came_too_late_is_a_lapse_although_it_came_through() -> None:
    """A renewal that was under way when the time was over: others may have acted meanwhile."""
    leases, one = Leases(), member("one")
    settled(leases, one)
    leases.write(one, one.begin(3.0, is_busy=False))
    one.renewed(3.0, TERMS.deadline + 0.5)
    assert one.lapses == 1
    assert not any(one.owns(key, TERMS.deadline + 0.5) for key in KEYS)


def test_what_moves_stays_claimed_until_what_is_under_way_for_it_has_ended() -> None:
    leases, one, two = Leases(), member("one"), member("two")
    settled(leases, one)
    settled(leases, two)
    leases.cycle(one, 0.0, is_busy=True)
    moving = [key for key in KEYS if not one.owns(key, 0.0)]
    assert moving  # nothing more is begun for them
    for _ in range(3):
        leases.cycle(one, 0.0, is_busy=True)
        leases.cycle(two, 0.0)
    assert not any(two.owns(key, 0.0) for key in KEYS)
    settled(leases, one, two)
    assert all(two.owns(key, 0.0) for key in moving)


def test_who_leaves_hands_over_at_once() -> None:
    leases, one, two = Leases(), member("one"), member("two")
    settled(leases, one, two)
    one.leave()
    assert not any(one.owns(key, 0.0) for key in KEYS)
    leases.write(one, NOBODY, is_here=False)
    settled(leases, two)
    assert all(two.owns(key, 0.0) for key in KEYS)


def test_a_lease_that_somebody_removed_counts_as_one_that_is_not_renewed() -> None:
    leases, one, two = Leases(), member("one"), member("two")
    settled(leases, one, two)
    mine = next(key for key in KEYS if one.owns(key, 0.0))
    del leases.held["one"]
    settled(leases, two)
    assert not two.owns(mine, 0.0)
    settled(leases, two, at=TERMS.duration + 0.1)
    assert two.owns(mine, TERMS.duration + 0.1)


def test_of_two_schemes_the_elder_is_acted_by_until_its_last_member_has_left() -> None:
    leases, old, new = Leases(), member("old", "a", "2025"), member("new", "b", "2026")
    settled(leases, old, new)
    assert all(old.owns(key, 0.0) for key in KEYS)
    assert not any(new.owns(key, 0.0) for key in KEYS)
    leases.write(old, NOBODY, is_here=False)
    settled(leases, new)
    assert all(new.owns(key, 0.0) for key in KEYS)


@dataclass(eq=False)
class Life:
    """One process of a member: its clock is `offset` off and runs at `rate`; `work` is what is under way for keys that it owned when that began."""

    member: Membership
    rate: float
    offset: float
    frozen_until: float = 0.0
    cut_until: float = 0.0
    work: set[str] = field(default_factory=set)
    lapses: int = 0
    talk: Generator[float, None, None] = field(init=False)

    def clock(self, time: float) -> float:
        return self.offset + self.rate * time

    def acts_for(self, key: str, time: float) -> bool:
        now = self.clock(time)
        return self.member.owns(key, now) or (key in self.work and now < self.member.expires_at)


class World:
    """Real time, the Leases, and the lives of members, each a loop that begins, writes, reads, works and sleeps."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.leases, self.time = chance, Leases(), 0.0
        self.lives: list[Life] = []
        self.events: list[tuple[float, int, Life]] = []
        self.numbers = itertools.count()
        self.trouble = 0.15
        self.owned = 0

    def join(self) -> None:
        number = next(self.numbers)
        member = Membership(f"m{number}", self.chance.choice("aaab"), f"{number:06}", TERMS)
        life = Life(member, self.chance.uniform(0.85, 1.15), self.chance.uniform(0, 1e6))
        life.talk = self.cycles(life)
        self.lives.append(life)
        self.later(life, 0.0)

    def later(self, life: Life, delay: float) -> None:
        heapq.heappush(self.events, (self.time + delay, next(self.numbers), life))

    def is_trouble(self) -> bool:
        return self.chance.random() < self.trouble

    def slow(self) -> float:
        """How long half of a request takes: mostly little."""
        return self.chance.uniform(0.0, 9.0 if self.is_trouble() else 0.1)

    def cycles(self, life: Life) -> Generator[float, None, None]:
        """Yields how long until its next event, in real time."""
        member = life.member
        while True:
            self.work(life)
            began = life.clock(self.time)
            view = member.begin(began, is_busy=any(not member.owns(key, began) for key in life.work))
            yield self.slow()
            is_cut_off = life.cut_until > self.time
            if not is_cut_off:
                self.leases.write(member, view)
            is_lost = is_cut_off or self.is_trouble()
            yield self.slow()
            if not is_lost:
                member.renewed(began, life.clock(self.time))
                asked = life.clock(self.time)
                yield self.slow()
                found = list(self.leases.held.values())
                yield self.slow()
                member.seen(found, asked, life.clock(self.time))
                self.work(life)
            yield self.chance.uniform(0.0, TERMS.every)

    def work(self, life: Life) -> None:
        """Some of what is under way ends, and some is begun; all of it is broken off where the member has lapsed."""
        now = life.clock(self.time)
        life.member.lapse_if_due(now)
        if life.lapses != life.member.lapses:
            life.lapses = life.member.lapses
            life.work.clear()
        life.work = {key for key in life.work if self.chance.random() < 0.7}
        life.work |= {key for key in KEYS if life.member.owns(key, now) and self.chance.random() < 0.3}

    def run(self, until: float) -> None:
        while self.events and self.events[0][0] <= until:
            at, _, life = heapq.heappop(self.events)
            self.time = at
            if life not in self.lives:
                continue
            if life.frozen_until > self.time:
                self.later(life, life.frozen_until - self.time)
                continue
            if self.is_trouble():
                life.frozen_until = self.time + self.chance.uniform(0.0, 15.0) * (self.chance.random() < 0.3)
                life.cut_until = self.time + self.chance.uniform(0.0, 15.0) * (self.chance.random() < 0.3)
            self.later(life, next(life.talk))
            self.check()
        self.time = until

    def check(self) -> None:
        for key in KEYS:
            who = [life.member.name for life in self.lives if life.acts_for(key, self.time)]
            assert len(who) <= 1, f"{key} at {self.time:.2f}: {who}"
            self.owned += len(who)

    def leave(self, life: Life) -> None:
        life.member.leave()
        self.leases.write(life.member, NOBODY, is_here=False)


@given(st.integers(0, 2**32))
@settings(max_examples=40)
def test_nothing_is_ever_owned_by_two_and_in_the_end_all_of_it_by_one(seed: int) -> None:
    """Clocks run at other rates, requests take any time on their way there and back, they or their answers are lost, processes freeze, die,
    leave and come."""
    world = World(random.Random(seed))
    chance = world.chance
    for _ in range(chance.randint(2, 4)):
        world.join()
    for _ in range(10):
        world.run(world.time + chance.uniform(1.0, 15.0))
        if len(world.lives) < 3 or chance.random() < 0.3:
            world.join()
        elif chance.random() < 0.5:
            gone = world.lives.pop(chance.randrange(len(world.lives)))
            if chance.random() < 0.5:
                world.leave(gone)
    world.trouble = 0.0
    world.run(world.time + 60.0)
    for key in KEYS:
        assert any(life.member.owns(key, life.clock(world.time)) for life in world.lives), key
    assert world.owned

"""The engine's clock: whoever sets the machine's clock changes nothing."""

from __future__ import annotations

from mlworkflow.engine.clock import EngineClock


class Machine:
    """A machine whose wall clock can be set, and whose monotonic clock cannot."""

    def __init__(self) -> None:
        self.wall, self.uptime = 1_700_000_000.0, 12.5

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.uptime += seconds


def test_it_goes_on_from_its_anchor_whatever_becomes_of_the_machines_clock() -> None:
    machine = Machine()
    clock = EngineClock(machine.wall, lambda: machine.uptime)
    assert clock() == 1_700_000_000.0
    for step in (3600.0, -7200.0, 3600.0):
        machine.wall += step
        machine.passes(10)
    assert clock() == 1_700_000_030.0


def test_it_is_anchored_to_another_time() -> None:
    machine = Machine()
    clock = EngineClock(machine.wall, lambda: machine.uptime)
    machine.passes(5)
    clock.anchor(machine.wall - 3600)
    machine.passes(1)
    assert clock() == machine.wall - 3600

"""Work done by a few threads: results in the order of their numbers, or none at all.

Callers: `incoming`, for the ranges of a big artifact and their digest.
"""

from __future__ import annotations

from collections.abc import Iterator

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    _T = TypeVar("_T")


def in_order(work: Callable[[int], _T], count: int, threads: int, ahead: int) -> Iterator[_T]:
    """`work` of 0, 1, … `count` - 1, at most `ahead` of them begun before the first of these has been taken; raises the failure of the first
    that failed. Whoever stops taking closes the generator, which returns when no `work` is under way any more.
    """
    from threading import Condition, Thread

    changed = Condition()
    done: dict[int, tuple[bool, _T | BaseException]] = {}
    begun = taken = 0
    is_over = False

    def run() -> None:
        nonlocal begun
        while True:
            with changed:
                while not is_over and begun < count and begun >= taken + ahead:
                    changed.wait()
                if is_over or begun == count:
                    return
                number, begun = begun, begun + 1
            try:
                result: tuple[bool, _T | BaseException] = True, work(number)
            except BaseException as error:
                result = False, error
            with changed:
                done[number] = result
                changed.notify_all()

    workers = [Thread(target=run, daemon=True) for _ in range(min(threads, count))]
    for worker in workers:
        worker.start()
    try:
        while taken < count:
            with changed:
                while taken not in done:
                    changed.wait()
                is_good, value = done.pop(taken)
                taken += 1
                changed.notify_all()
            if not is_good:
                raise value  # type: ignore[misc]
            yield value  # type: ignore[misc]
    finally:
        with changed:
            is_over = True
            changed.notify_all()
        for worker in workers:
            worker.join()


class Beside:
    """A thread that does `work`, which does not fail, with one thing while its caller does something else with it."""

    def __init__(self, work: Callable[[Any], object]) -> None:
        from queue import SimpleQueue
        from threading import Thread

        self._begun: SimpleQueue[Any] = SimpleQueue()
        self._done: SimpleQueue[None] = SimpleQueue()
        self._work = work
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def begin(self, item: Any) -> None:
        """Has the work done with `item`; to be followed by `end`."""
        self._begun.put(item)

    def end(self) -> None:
        """Returns when it is done."""
        self._done.get()

    def close(self) -> None:
        """Ends the thread."""
        self._begun.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._begun.get()) is not None:
            self._work(item)
            self._done.put(None)

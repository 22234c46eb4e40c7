"""Steps with `forEach`: one task an item, as many at once as may be, and one result of them all."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from mlworkflow.core import collection, paths
from mlworkflow.core.actions import Publish
from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.expressions import as_text
from mlworkflow.core.fingerprint import of_composed
from mlworkflow.core.items import tolerated
from mlworkflow.core.memory import Place
from mlworkflow.core.names import Reason
from mlworkflow.core.nodes import Node
from mlworkflow.core.orders import check_sizes
from mlworkflow.core.policies.dependencies import is_asked_of_items, is_wanted
from mlworkflow.core.policies.starting import start
from mlworkflow.core.state import Phase, Task
from mlworkflow.core.turn import CarryOn, Turn


def run_fan(turn: Turn, fan: Node, carry_on: CarryOn) -> None:
    """One turn of a step that runs an item at a time: start what may start, carry on what has not ended, and settle it."""
    if (place := turn.memory.places.get(fan.task)) is None:
        if (items := _items(turn, fan)) is None:
            return
        place = turn.memory.fan(fan.task, len(items), turn.tasks)
    if _has_failed(turn, fan, place):
        return
    is_asked, limit = is_asked_of_items(fan), fan.step.parallel or place.size

    def node_at(index: int) -> Node:
        return turn.node(paths.numbered(fan.task, index))

    def can_start() -> bool:
        return place.running < limit and (turn.has_room() or not node_at(0).is_unit)

    for index in place.visits(can_start):
        item = node_at(index)
        task = turn.task(item.task)
        if task.is_finished:
            continue
        if task.phase is Phase.PENDING:
            if is_asked and task.started_at is None and not is_wanted(turn, item):
                continue
            if place.running >= limit:
                place.wait(index)
            elif not start(turn, item) and not turn.task(item.task).is_finished:
                turn.wait(item)
        carry_on(turn, item)
    turn.leave(place, node_at, may_start=place.running < limit)
    if not _has_failed(turn, fan, place):
        _settle(turn, fan, place)


def _settle(turn: Turn, fan: Node, place: Place) -> None:
    """Once every item has ended: their outputs become the step's, as lists and collections."""
    if place.open:
        return
    items = turn.view.items(fan)
    tasks = [turn.task(paths.numbered(fan.task, index)) for index in range(len(items))]
    parameters = _lists(fan, tasks)
    try:
        check_sizes(parameters, "the list of outputs")
    except ExpressionError as error:
        turn.finish(fan.task, Phase.FAILED, Reason.OUTPUT_INVALID, str(error))
        return
    collections = {
        name: collection.encode(
            [
                collection.Member(
                    item=item,
                    phase=str(task.phase),
                    artifact=task.artifacts.get(name) if task.phase is Phase.SUCCEEDED else None,
                )
                for item, task in zip(items, tasks, strict=True)
            ]
        )
        for name, output in fan.step.outputs.items()
        if output.is_artifact and (not output.optional or any(name in task.artifacts for task in tasks))
    }
    turn.ask(
        Publish(
            fan.step,
            fan.task,
            turn.task(fan.task).attempt,
            parameters,
            collections=collections,
            fingerprint=of_composed(turn.view, fan),
        )
    )


def _lists(fan: Node, tasks: list[Task]) -> dict[str, list[Any]]:
    """Each output parameter as a list, with null for an item that left none."""
    names = {name: None for name, output in fan.step.outputs.items() if not output.is_artifact}
    for task in tasks:
        names |= dict.fromkeys(task.parameters)
    return {
        name: [task.parameters.get(name) if task.phase is Phase.SUCCEEDED else None for task in tasks] for name in names
    }


def _items(turn: Turn, fan: Node) -> list[Any] | None:
    """The items; None where they cannot be told, or are not those that the step began with: it has failed then."""
    try:
        items = turn.view.items(fan)
    except ExpressionError as error:
        turn.stop_task(fan.task, Phase.FAILED, Reason.EXPRESSION_ERROR, str(error))
        return None
    task = turn.task(fan.task)
    mark = f"{len(items)}:{hashlib.sha256(msgspec.json.encode(items)).hexdigest()[:12]}"
    if not task.items:
        turn.note_items(fan.task, mark)
    elif task.items != mark:
        message = "the items were edited while the step ran: they are no longer those whose results it has"
        turn.stop_task(fan.task, Phase.FAILED, Reason.ITEMS_CHANGED, message)
        return None
    return items


def _has_failed(turn: Turn, fan: Node, place: Place) -> bool:
    """Fails the step, and stops its items, once more of them have failed than may."""
    failed, may = len(place.failed), tolerated(fan.step.max_failed, place.size)
    if failed <= may:
        return False
    index = min(place.failed)
    first = turn.task(paths.numbered(fan.task, index))
    what = as_text(turn.view.items(fan)[index])[:100]
    message = (
        f"{failed} of {place.size} items failed, {may} may; item {index} ({what}): {first.reason}: {first.message}"
    )
    turn.stop_task(fan.task, Phase.FAILED, Reason.ITEMS_FAILED, message)
    return True

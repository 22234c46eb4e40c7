"""Hypothesis strategies for workflows and the fates of their tasks: chains, fans and diamonds, with every way of depending on another step."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.builders import a_workflow
from tests.unit.core.world import Case, Does, Fate

_ENDINGS = st.sampled_from(
    [Does.SUCCEED] * 8
    + [Does.SUCCEED_BARE, Does.SUCCEED_BARE, Does.FAIL, Does.FAIL, Does.DIE, Does.REFUSED, Does.STUCK, Does.HANG]
)
_LINKS = st.sampled_from(["after", "after", "input", "input", "param", "when", "division"])
_NUMBERS = st.sampled_from([0.0, 0.25, 1.0, 2.0])
_SHAPES = st.sampled_from(["chain", "fan", "diamond", "any", "any"])


@st.composite
def cases(draw: st.DrawFn, *, timed: bool = False) -> Case:
    """A sound workflow of 1 to 7 steps, and what its tasks do."""
    count = draw(st.integers(1, 7))
    shape = draw(_SHAPES)
    tunes = [draw(st.integers(0, 5)) == 0 for _ in range(count)]
    builder = a_workflow("world").having(defaults={"pendingTimeout": "1h"}, params={"zero": 0})
    if limit := draw(st.integers(0, 3)):
        builder = builder.having(parallelism=limit)
    if timed:
        builder = builder.having(timeout=f"{draw(st.integers(1, 120))}s")
    fates: dict[str, Fate] = {}
    for index in range(count):
        name = f"s-{index}"
        fields: dict[str, Any] = {"inputs": {}, "after": [], "params": {}}
        if draw(st.integers(0, 15)) == 0:
            fields["params"]["never"] = "${{ 1 / params.zero }}"  # cannot start, ever
        for parent in _parents(draw, shape, index, count):
            _link(draw(_LINKS), f"s-{parent}", tunes[parent], fields)
        retries = draw(st.integers(0, 2))
        fields["retry"] = {"limit": retries, "backoff": "1s", "factor": 2}
        if tunes[index]:
            builder = _tune(draw, builder, name, fields, fates)
            continue
        fates[name] = _fate(draw, retries)
        if Does.HANG in fates[name].does:
            fields["timeout"] = "2h"
        builder = builder.step(name, outputs="o? n:number", **fields)
    return Case(builder.resource(), fates)


def _parents(draw: st.DrawFn, shape: str, index: int, count: int) -> list[int]:
    if index == 0:
        return []
    match shape:
        case "chain":
            return [index - 1]
        case "fan":
            return [0]
        case "diamond":
            return [0] if index < count - 1 else list(range(1, index)) or [0]
    return sorted(draw(st.sets(st.integers(0, index - 1), max_size=3)))


def _link(link: str, parent: str, is_tune: bool, fields: dict[str, Any]) -> None:
    """Make a step depend on `parent`: by order, by an artifact, by a value, or by a condition."""
    value = f"steps.{parent.replace('-', '_')}.{'best.value' if is_tune else 'outputs.n'}"
    match link:
        case "after":
            fields["after"].append(parent)
        case "input":
            fields["inputs"][f"from-{parent}"] = f"{parent}.{'model' if is_tune else 'o'}"
        case "param":
            fields["params"][f"of-{parent}"] = f"${{{{ {value} }}}}"
        case "when":
            fields["when"] = f"${{{{ {value} > 0.5 }}}}"
            fields["after"].append(parent)
        case "division":
            fields["params"]["quotient"] = f"${{{{ 4 / int({value}) }}}}"


def _tune(draw: st.DrawFn, builder: Any, name: str, fields: dict[str, Any], fates: dict[str, Fate]) -> Any:
    trials = draw(st.integers(1, 4))
    retry = fields.pop("retry")
    for number in range(trials):
        fates[f"{name}/{number}"] = _fate(draw, retry["limit"])
    hangs = any(Does.HANG in fates[f"{name}/{number}"].does for number in range(trials))
    trial = {
        "container": {"image": "image", "command": ["trial"]},
        "retry": retry,
        **({"timeout": "2h"} if hangs else {}),
    }
    budget = {"max": trials, "parallel": draw(st.integers(1, 3)), "maxFailed": draw(st.integers(0, 2))}
    goal = draw(st.sampled_from(["maximize", "minimize"]))
    return builder.tune(
        name,
        {"p": list(range(trials))},
        metric="n",
        goal=goal,
        trials=budget,
        trial=trial,
        trial_outputs="n:number? model",
        **fields,
    )


def _fate(draw: st.DrawFn, retries: int) -> Fate:
    return Fate(tuple(draw(_ENDINGS) for _ in range(retries + 1)), draw(_NUMBERS))

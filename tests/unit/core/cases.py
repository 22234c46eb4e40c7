"""Hypothesis strategies for workflows and the fates of their tasks: every structure that a workflow can have, and every way of depending on another step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from tests.builders import WorkflowBuilder, a_workflow
from tests.unit.core.world import Case, Does, Fate

_ENDINGS = st.sampled_from(
    [Does.SUCCEED] * 8
    + [Does.SUCCEED_BARE, Does.SUCCEED_BARE, Does.FAIL, Does.FAIL, Does.DIE, Does.REFUSED, Does.STUCK, Does.HANG]
)
_LINKS = st.sampled_from(
    ["after", "after", "input", "input", "optional", "default", "first", "param", "when", "phase", "has", "division"]
)
_NUMBERS = st.sampled_from([0.0, 0.25, 1.0, 2.0])
_SHAPES = st.sampled_from(["chain", "fan", "diamond", "any", "any"])
_KINDS = st.sampled_from(["unit"] * 6 + ["tune", "fan", "fan", "group", "group", "groups", "approve"])
_SHARED_ENDINGS = st.sampled_from([Does.SUCCEED] * 6 + [Does.SUCCEED_BARE, Does.FAIL, Does.DIE, Does.HANG])
_PHASES = st.sampled_from([["Succeeded"], ["Succeeded", "Skipped"], ["Succeeded", "Failed", "Skipped"], ["Failed"]])


@dataclass
class _Drawing:
    """What has been drawn so far: the fates, how the number that a step leaves is read, and the steps that leave no artifact."""

    draw: st.DrawFn
    racing: bool
    sharing: bool = False
    fates: dict[str, Fate] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    bare: set[str] = field(default_factory=set)

    def maybe(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == one_in


@st.composite
def cases(draw: st.DrawFn, *, timed: bool = False, racing: bool = False, sharing: bool = False) -> Case:
    """A sound workflow of a few steps, and what its tasks do. `racing` adds what makes the end depend on who is first, with `sharing` the trials of a
    search share Pods, and there are more of them."""
    drawing = _Drawing(draw, racing, sharing)
    builder = a_workflow("world").having(defaults={"pendingTimeout": "1h", "attemptTimeout": "2h"}, params={"zero": 0})
    if limit := draw(st.integers(0, 3)):
        builder = builder.having(parallelism=limit)
    if timed:
        builder = builder.having(timeout=f"{draw(st.integers(1, 120))}s")
    if racing:
        builder = builder.having(failFast=draw(st.booleans()))
    if drawing.maybe(8):
        builder = builder.having(locks=["whole"])
    builder = _steps(drawing, builder, "s", draw(st.integers(1, 6)), 0)
    if drawing.maybe(3):
        lists: dict[str, Any] = {}
        for when in draw(st.sets(st.sampled_from(["always", "succeeded", "failed"]), min_size=1)):
            own = _steps(drawing, a_workflow(), f"x{when[0]}", draw(st.integers(1, 2)), 2)
            lists[when] = [dict(step) for step in own.steps]
        builder = builder.having(onExit={**lists, "timeout": "30m" if racing else "900h"})
    return Case(builder.resource(), drawing.fates)


def _steps(drawing: _Drawing, builder: WorkflowBuilder, prefix: str, count: int, depth: int) -> WorkflowBuilder:
    shape = drawing.draw(_SHAPES)
    for index in range(count):
        name = f"{prefix}-{index}"
        fields: dict[str, Any] = {"inputs": {}, "after": [], "params": {}}
        if drawing.maybe(16):
            fields["params"]["never"] = "${{ 1 / params.zero }}"  # cannot start, ever
        for parent in _parents(drawing.draw, shape, index, count):
            _link(drawing, f"{prefix}-{parent}", fields)
        builder = _step(drawing, builder, name, fields, depth)
    return builder


def _step(
    drawing: _Drawing, builder: WorkflowBuilder, name: str, fields: dict[str, Any], depth: int
) -> WorkflowBuilder:
    draw = drawing.draw
    kind = (
        draw(st.sampled_from(["unit", "tune", "tune", "fan"]) if drawing.sharing else _KINDS) if depth < 2 else "unit"
    )
    if drawing.maybe(8):
        fields["allowFailure"] = True
    if fields["after"] and drawing.maybe(4):
        fields["runAfter"] = draw(_PHASES)
    value = f"steps.{name.replace('-', '_')}.outputs.n"
    match kind:
        case "tune":
            drawing.numbers[name] = f"steps.{name.replace('-', '_')}.best.value"
            return _tune(drawing, builder, name, fields)
        case "group" | "groups":
            drawing.numbers[name] = value
            return _group(drawing, builder, name, fields, depth, kind == "groups")
        case "approve":
            drawing.numbers[name] = f"(steps.{name.replace('-', '_')}.outputs.approved ? 1.0 : 0.0)"
            drawing.fates[name] = Fate((draw(st.sampled_from([Does.SUCCEED, Does.FAIL])),))
            fields.pop("inputs")
            drawing.bare.add(name)
            return builder.kind(name, "approve", {"message": "go on?"}, **fields)
    retries = draw(st.integers(0, 2))
    fields["retry"] = {"limit": retries, "backoff": "1s", "factor": 2}
    if drawing.maybe(6):
        fields["retry"]["only"] = {"exitCodes": [137]}
    if drawing.maybe(6):
        fields["locks"] = ["shared"]
    tasks = [name]
    drawing.numbers[name] = value
    if kind == "fan":
        count = draw(st.integers(0, 3))
        tasks = [f"{name}/{index}" for index in range(count)]
        drawing.numbers[name] = f"double(size({value}))"
        fields |= {"forEach": list(range(count)), "maxFailed": draw(st.integers(0, 1))}
        fields["params"]["item"] = "${{ item }}"
        if drawing.maybe(3):
            fields["parallel"] = draw(st.integers(1, 2))
        if "when" not in fields and drawing.maybe(4):
            fields["when"] = "${{ item != 1 }}"
    for task in tasks:
        drawing.fates[task] = _fate(draw, retries)
    return builder.step(name, outputs="o? n:number", **fields)


def _group(
    drawing: _Drawing, builder: WorkflowBuilder, name: str, fields: dict[str, Any], depth: int, many: bool
) -> WorkflowBuilder:
    """A group, or one for each of two items, whose last step leaves what it passes on."""
    draw = drawing.draw
    count = draw(st.integers(1, 3))
    inner = _steps(drawing, a_workflow(), f"{name}-i", count, depth + 1)
    last = f"{name}-i-{count - 1}"
    for index in range(2) if many else ():
        for task in [task for task in drawing.fates if task.startswith(f"{name}-i")]:
            drawing.fates[f"{name}/{index}.{task}"] = _fate(draw, 1)
    fields.pop("inputs")
    fields["retry"] = {"limit": draw(st.integers(0, 1)), "backoff": "1s"}
    if drawing.racing:
        fields["timeout"] = "3h"
    if many:
        fields |= {"forEach": {"range": 2}, "maxFailed": draw(st.integers(0, 1))}
        drawing.numbers[name] = f"double(size({drawing.numbers[name]}))"
    outputs: dict[str, Any] = {"n": {"value": f"${{{{ {drawing.numbers[last]} }}}}"}}
    if last in drawing.bare:
        drawing.bare.add(name)
    else:
        outputs["o"] = {"from": f"{last}.{_artifact(inner, last)}", "optional": True}
    return builder.raw({"name": name, "steps": [dict(step) for step in inner.steps], "outputs": outputs, **fields})


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


def _link(drawing: _Drawing, parent: str, fields: dict[str, Any]) -> None:
    """Make a step depend on `parent`: by order, by an artifact, by a value, or by a condition."""
    link, value = drawing.draw(_LINKS), drawing.numbers[parent]
    has_artifact = parent not in drawing.bare
    source = f"{parent}.{'model' if 'best' in value else 'o'}"
    under = parent.replace("-", "_")
    match link:
        case "input" | "optional" | "default" | "first" if not has_artifact:
            fields["after"].append(parent)
        case "after":
            fields["after"].append(parent)
        case "input":
            fields["inputs"][f"from-{parent}"] = {"from": source}
        case "optional":
            fields["inputs"][f"from-{parent}"] = {"from": source, "optional": True}
        case "default":
            fields["inputs"][f"from-{parent}"] = {"from": source, "default": {"a": 1}}
        case "first":
            known = fields["inputs"].setdefault("first", {"from": []})["from"]
            known.append(source)
        case "param":
            fields["params"][f"of-{parent}"] = f"${{{{ {value} }}}}"
        case "when":
            fields["when"] = f"${{{{ {value} > 0.5 }}}}"
            fields["after"].append(parent)
        case "phase":
            fields["params"][f"phase-{parent}"] = f"${{{{ steps.{under}.phase }}}}"
        case "has":
            fields["params"][f"has-{parent}"] = f"${{{{ has(steps.{under}.outputs.n) }}}}"
            fields["after"].append(parent)
        case "division":
            fields["params"]["quotient"] = f"${{{{ 4 / int({value}) }}}}"


def _artifact(builder: WorkflowBuilder, name: str) -> str:
    step = next(step for step in builder.steps if step["name"] == name)
    return "model" if "tune" in step else "o"


def _tune(drawing: _Drawing, builder: WorkflowBuilder, name: str, fields: dict[str, Any]) -> WorkflowBuilder:
    draw = drawing.draw
    trials, retries = draw(st.integers(1, 6 if drawing.sharing else 4)), draw(st.integers(0, 2))
    for number in range(trials):
        drawing.fates[f"{name}/{number}"] = _fate(draw, retries)
    trial: dict[str, Any] = {
        "container": {"image": "image", "command": ["trial"]},
        "retry": {"limit": retries, "backoff": "1s", "factor": 2},
    }
    budget = {
        "max": trials,
        "parallel": draw(st.integers(1, 4 if drawing.sharing else 3)),
        "maxFailed": draw(st.integers(0, 2)),
    }
    if drawing.sharing:
        for number in range(trials):
            does = tuple(draw(_SHARED_ENDINGS) for _ in range(retries + 1))
            drawing.fates[f"{name}/{number}"] = replace(drawing.fates[f"{name}/{number}"], does=does)
        budget["perPod"] = draw(st.integers(1, budget["parallel"]))
        trial["container"]["agent"] = True
        trial["retry"]["losses"] = 20  # a death in a Pod costs whoever waits in it another one
    goal = draw(st.sampled_from(["maximize", "minimize"]))
    return builder.tune(
        name,
        {"p": list(range(trials))},
        metric="n",
        goal=goal,
        trials=budget,
        algorithm=draw(st.sampled_from([{"grid": {}}, {"tpe": {}}])),
        trial=trial,
        trial_outputs="n:number? model",
        **fields,
    )


def _fate(draw: st.DrawFn, retries: int) -> Fate:
    return Fate(tuple(draw(_ENDINGS) for _ in range(retries + 1)), draw(_NUMBERS))

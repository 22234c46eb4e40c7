"""`python` before anything runs: what its code says of itself is held against what the step gives it."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from mlworkflow.core import cachefacts
from mlworkflow.core.cachefacts import Identity
from mlworkflow.core.errors import SpecError
from mlworkflow.core.pods import PodSettings, step_pod
from mlworkflow.core.signature import CodeError, signature_of

from tests.builders import WorkflowBuilder, a_workflow, order_of

CLEAN = """
import pandas as pd

def main(raw: pd.DataFrame, old: pd.DataFrame | None = None, *, threshold: float = 7.5, names: list[str] = ()):
    return {"table": raw, "dropped": 3}
"""


def taking(source: str = CLEAN, *, inputs: str = "make.raw", outputs: str = "table", **fields: Any) -> WorkflowBuilder:
    body = {"source": source, **fields.pop("python", {})}
    made = a_workflow().step("make", outputs="raw model")
    return made.kind("clean", "python", body, inputs=inputs, outputs=outputs, **fields)


def problems(builder: WorkflowBuilder) -> list[str]:
    with pytest.raises(SpecError) as error:
        builder.plan()
    return [str(problem).removeprefix("spec.steps[1].") for problem in error.value.problems]


def test_what_fits_is_fine() -> None:
    taking(params={"threshold": 3, "names": ["a"]}).plan()
    taking(inputs={"raw": "make.raw", "old": {"from": "make.model", "optional": True}}).plan()  # type: ignore[arg-type]
    taking("def main(**given): ...", outputs="", params={"anything": 1}).plan()


@pytest.mark.parametrize(
    ("builder", "said"),
    [
        (taking(inputs=""), "python.source: main() needs 'raw': give it by `inputs` or `params`"),
        (taking(params={"treshold": 3}), "params.treshold: main() takes no 'treshold'; it takes: raw, old, threshold, names"),
        (taking(params={"threshold": "a"}), "params.threshold: is 'a', and main() takes 'threshold' as float"),
        (taking(params={"threshold": True}), "params.threshold: is True, and main() takes 'threshold' as float"),
        (taking(params={"names": "a"}), "params.names: is 'a', and main() takes 'names' as list[str]"),
        (taking(params={"raw": 1}), "params.raw: is the argument 'raw' of main(), and so is inputs.raw"),
        (taking(inputs="", params={"raw": 1}), "params.raw: main() takes 'raw' as pd.DataFrame: that comes by `inputs`"),
        (taking("def main(raw): return raw"), "inputs.raw: say in main() what 'raw' is to be: `raw: pd.DataFrame`, `Path`, `dict`, …"),
        (taking(inputs={"raw": {"from": "make.raw", "optional": True}}), "inputs.raw: is optional, so 'raw' of main() needs a default: `raw: pd.DataFrame | None = None`"),  # type: ignore[arg-type]
        (taking(outputs="table report"), "outputs.report: main() never returns 'report'; it returns: dropped, table"),
        (taking("def mian(raw): ..."), "python.source: has no function main(); did you mean mian?"),
        (taking("x = 1"), "python.source: has no function main(); it has: none"),
        (taking("def main(raw):\n  return raw +"), "python.source: line 2: invalid syntax"),
        (taking("def main(raw):\n  return raw +", python={"file": "clean.py"}), "python.file: clean.py: line 2: invalid syntax"),
        (taking("async def main(raw: dict): ..."), "python.source: line 1: main() is async; a step calls a plain function"),
        (taking("def main(raw: dict, /): ..."), "python.source: line 1: 'raw' stands before a /; a step gives arguments by their names"),
        (taking("+" * 90_000), "python.source: cannot be read as Python: it is nested too deeply"),
        (taking("def main(): ...", inputs="", python={"configMap": {"name": "a", "key": "b"}}), "python: name exactly one of: source, file, configMap, git; this names source and configMap"),
        (taking("def main(): ...", inputs="", python={"script": True, "function": "go"}), "python.function: is not called where `script` is true"),
        (a_workflow().step("make").kind("clean", "python", {"file": "x.py"}), "python.file: is read by mlwf, into `source`: `mlwf submit` this workflow, or put the code into `source`"),
        (a_workflow().step("make").kind("clean", "python", {"configMap": {"name": "a", "key": "b", "sha256": "1"}}), "python.configMap.sha256: is 64 hexadecimal digits, lower case: `sha256sum FILE` prints them"),
    ],
)  # fmt: skip
def test_what_does_not_fit_names_the_field_and_the_fix(builder: WorkflowBuilder, said: str) -> None:
    assert problems(builder) == [said]


@pytest.mark.parametrize(
    "source",
    [
        "from elsewhere import main",
        "import functools\n@functools.cache\ndef main(): ...",
        "if True:\n    def main(a, b): ...",
        "from elsewhere import *",
        "main = lambda raw: raw",
    ],
)
def test_of_what_only_running_tells_nothing_is_said(source: str) -> None:
    taking(source).plan()
    assert signature_of(source, "main") is None


def test_the_code_is_never_run() -> None:
    taking("raise SystemExit\ndef main(raw: dict): return {'table': raw}").plan()
    with pytest.raises(CodeError, match="null bytes"):
        signature_of("def main(): ...\0", "main")


def test_another_image_may_have_another_python() -> None:
    """Its Python, newer than ours, may know what ours does not."""
    taking("def main[T](raw: T) -> T: ...", image="python-next").plan()
    assert problems(taking("def main(row: dict): ...", image="python-next"))[0].startswith(
        "python.source: main() needs 'row'"
    )


def test_a_trial_is_given_what_the_search_chooses() -> None:
    search = {"python": {"source": "def main(depth: int, speed: float): return {'acc': 1.0}"}, "outputs": {}}
    a_workflow().tune("t", {"depth": [1, 2]}, trial=search, params={"speed": 1}).plan()
    with pytest.raises(SpecError, match=r"tune.step.python.source: main\(\) needs 'speed'"):
        a_workflow().tune("t", {"depth": [1, 2]}, trial=search).plan()


def test_the_code_is_passed_on_as_it_is() -> None:
    source = 'def main(raw: dict):\n    return {"table": f"${{{raw}}} ${{ params.nope }} {{x}}"}\n'
    order = order_of(taking(source, inputs="", params={"raw": {}}), "clean")
    assert order.spec == {"source": source}


def test_the_code_and_the_image_are_what_a_result_follows_from() -> None:
    """A built-in kind's image counts by the code in it alone; code of the user's may import anything that is there."""
    order = order_of(
        taking(inputs="", params={"raw": {}}, source="def main(raw: dict): return {'table': raw}"), "clean"
    )
    facts = cachefacts.facts_of(
        order, Identity(image="sha256:1", code="sha256:2", is_open=order.step.kind.is_open(order.step.body))
    )
    assert isinstance(facts, dict)
    assert (facts["image"], facts["python"]) == ("sha256:1", order.spec)


def test_a_config_map_is_a_variable_and_pinned_by_its_digest_alone() -> None:
    def made(**key: str) -> Any:
        code = {"configMap": {"name": "code", "key": "clean.py", **key}}
        return order_of(a_workflow().kind("clean", "python", code), "clean")

    pod = step_pod(made(), PodSettings("http://gateway", "steps", "agent"))
    variable = {"name": "MLWF_CODE", "valueFrom": {"configMapKeyRef": {"name": "code", "key": "clean.py"}}}
    assert variable in pod["spec"]["containers"][0]["env"]
    identity = Identity(image="sha256:1", code="sha256:2", is_open=True)
    assert str(cachefacts.facts_of(made(), identity)).startswith("python.configMap stands for what is not known")
    assert isinstance(cachefacts.facts_of(made(sha256="0" * 64), identity), dict)


def test_what_a_function_returns_is_told_only_where_it_is_certain() -> None:
    def returned(body: str) -> Any:
        found = signature_of("def main():\n" + textwrap.indent(body, "    "), "main")
        assert found is not None
        return found.returned

    assert returned("if x:\n    return {'a': 1}\nreturn {'b': 2}") == {"a", "b"}
    assert returned("def inner(): return 1\nreturn {'a': inner()}") == {"a"}
    for unknown in ("return x", "return {'a': 1, **more}", "yield {'a': 1}", "pass", "return {name: 1}"):
        assert returned(unknown) is None


NEEDS = {"source": "def main(): ...", "requirements": ["polars>=1", "shap"]}


def needing(name: str, builder: WorkflowBuilder | None = None, **fields: Any) -> WorkflowBuilder:
    return (builder or a_workflow()).kind(name, "python", {**NEEDS, **fields.pop("python", {})}, **fields)


def installing(builder: WorkflowBuilder) -> list[str]:
    return [name for name in builder.parsed().steps if name.startswith("requirements-")]


def test_requirements_are_a_step_that_runs_first_and_an_input() -> None:
    workflow = needing("b", needing("a"), python={"requirements": ["shap", "polars>=1"]}).parsed()
    name, *rest = workflow.steps
    assert rest == ["a", "b"]
    assert workflow.steps[name].body == {"requirements": ["polars>=1", "shap"]}
    assert workflow.steps[name].stands_for == "spec.steps[0].python.requirements"
    assert {step: workflow.steps[step].inputs["python-environment"].sources for step in rest} == dict.fromkeys(rest, ((name, "environment"),))  # fmt: skip
    needing("b", needing("a")).plan()


def test_they_are_installed_for_the_python_and_the_machine_that_the_step_has() -> None:
    """And with pip's variables of the step; what else differs, such as its memory, makes no second environment."""
    same = needing("b", needing("a"), resources={"limits": {"memory": "1Gi"}}, env=[{"name": "OWN", "value": "1"}])
    assert len(installing(same)) == 1
    env = [
        {"name": "PIP_INDEX_URL", "value": "https://pypi.example.org/${{ params.index }}"},
        {"name": "OWN", "value": "1"},
    ]
    for differs in ({"image": "python-next"}, {"nodeSelector": {"arch": "arm64"}}, {"env": env}):
        names = installing(needing("b", needing("a"), **differs).having(params={"index": "simple"}))
        assert len(names) == 2
    common = needing("a", image="python-next", env=env).having(params={"index": 1}).parsed().steps.values()
    assert next((step.common.image, step.common.env) for step in common) == ("python-next", env[:1])


def test_a_trial_and_a_group_find_theirs() -> None:
    inner = needing("inner")
    builder = a_workflow().tune(
        "t", {"x": [1]}, trial={"python": {**NEEDS, "source": "def main(x): ..."}, "outputs": {}}
    )
    workflow = builder.group("g", inner).parsed()
    (name,) = [name for name in workflow.steps if name.startswith("requirements-")]
    assert workflow.steps["t"].inputs["python-environment"].sources == ((name, "environment"),)
    assert workflow.steps["g"].steps["inner"].inputs["python-environment"].sources == ((name, "environment"),)
    trial = {"steps": [{"name": "deep", "inputs": {"x": {"from": {"dataset": "bikes"}}}, "python": {**NEEDS, "source": "def main(x: dict): return {'n': 1}"}}], "outputs": {"n": {"value": 1}}}  # fmt: skip
    steps = a_workflow().tune("t", {"x": [1]}, metric="n", trial=trial, trial_outputs="").parsed().steps
    assert steps["t"].trial is not None
    assert set(steps["t"].trial.steps["deep"].inputs) == {"x", "python-environment"}
    assert len(steps) == 3


@pytest.mark.parametrize(
    ("builder", "said"),
    [
        (needing("a", python={"requirements": ["-r more.txt"]}), "python.requirements[0]: '-r more.txt' is an option of pip's: set it by `env` (`PIP_INDEX_URL`, …)"),
        (needing("a", python={"requirements": ["./here"]}), "python.requirements[0]: './here' is no requirement: `name`, `name>=1.2`, or `name @ https://…`"),
        (needing("a", python={"requirements": ["x @ git+https://me:pw@example.org/x"]}), "python.requirements[0]: 'x' holds a user or a password, which everybody could read who sees the workflow"),
        (needing("a", python={"requirements": ["x==${{ params.x }}"]}), "python.requirements[0]: an expression is not evaluated here: they are installed before any step runs"),
        (needing("a", image="x:${{ steps.b.outputs.tag }}"), "image: 'steps.b.outputs.tag': 'steps' is not known at the start of a run; params and workflow are"),
        (needing("a", inputs={"python-environment": "x.environment"}), "inputs.python-environment: is made by a step that nobody wrote already: `requirements` or `git` stand for it"),
    ],
)  # fmt: skip
def test_requirements_that_cannot_be_installed(builder: WorkflowBuilder, said: str) -> None:
    with pytest.raises(SpecError) as error:
        builder.plan()
    assert [str(problem).removeprefix("spec.steps[0].") for problem in error.value.problems] == [said]


COMMIT = "0d1d7fc32e5a4b8e1c6a3f1f0a9c9c3b7a6f5e4d"


def fetching(
    name: str, path: str = "clean.py", builder: WorkflowBuilder | None = None, **given: str
) -> WorkflowBuilder:
    body = {"git": {"url": "https://git.example.org/x.git", "commit": COMMIT, "path": path, **given}}
    return (builder or a_workflow()).kind(name, "python", body)


def test_a_commit_is_fetched_once_with_a_secret_that_only_its_own_step_sees() -> None:
    builder = fetching("b", "other.py", fetching("a", secret="ours"), secret="ours")
    workflow = builder.parsed()
    name, *rest = workflow.steps
    assert rest == ["a", "b"]
    assert workflow.steps[name].body == {"url": "https://git.example.org/x.git", "commit": COMMIT, "secret": "ours"}
    assert workflow.steps["a"].inputs["python-code"].sources == ((name, "code"),)
    settings = PodSettings("http://gateway", "steps", "agent")
    (container,) = step_pod(order_of(builder, name), settings)["spec"]["containers"]
    secret = {"name": "MLWF_GIT_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "ours", "key": "password"}}}
    assert secret in container["env"]
    assert workflow.steps["a"].kind.variables(workflow.steps["a"].body) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"commit": "main"}, "python.git.commit: 'main' is no commit: write its 40 hexadecimal digits (`git rev-parse HEAD`); a branch or a tag may move"),
        ({"url": "git@example.org:x"}, "python.git.url: begins with https://, http:// or file://"),
        ({"url": "https://me:pw@example.org/x"}, "python.git.url: holds a user or a password, which everybody could read who sees the workflow: name a `secret`"),
        ({"path": "../x.py"}, "python.git.path: is a file's path from the top of the repository"),
        ({"commit": "${{ steps.a.outputs.c }}"}, "python.git.commit: 'steps.a.outputs.c': 'steps' is not known at the start of a run; params and workflow are"),
    ],
)  # fmt: skip
def test_a_repository_that_cannot_be_right(given: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError) as error:
        fetching("a", **given).plan()
    assert [str(problem).removeprefix("spec.steps[0].") for problem in error.value.problems] == [said]


@pytest.mark.parametrize("text", ["polars", "polars>=1,<2", "a[b,c] ~= 1.0", "x @ https://example.org/x.whl", "y; python_version < '3.12'", "z (>=1)"])  # fmt: skip
def test_what_pip_takes_is_taken(text: str) -> None:
    needing("a", python={"requirements": [text]}).plan()

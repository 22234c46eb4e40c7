"""What lint finds, as it prints it."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlworkflow.runs.documents import read
from mlworkflow.runs.lint import lint

HEAD = "apiVersion: mlworkflow.io/v1alpha1\nkind: MLWorkflow\nmetadata: {name: w}\n"
STEP = "    - name: one\n      container: {command: [run]}\n      outputs: {data: {}, acc: {type: number}}\n"


def findings(tmp_path: Path, spec: str, head: str = HEAD) -> list[str]:
    file = tmp_path / "w.yaml"
    file.write_text(f"{head}spec:\n{spec}")
    return [str(finding).removeprefix(f"{file}:") for document in read(str(file)) for finding in lint(document)]


def test_nothing_is_wrong(tmp_path: Path) -> None:
    assert findings(tmp_path, f"  steps:\n{STEP}") == []


def test_a_generated_name_will_do(tmp_path: Path) -> None:
    assert findings(tmp_path, f"  steps:\n{STEP}", HEAD.replace("name: w", "generateName: w-")) == []


def test_every_problem_of_every_step_is_found_with_its_line(tmp_path: Path) -> None:
    spec = f"""\
  steps:
{STEP}\
    - name: two
      after: [nobody]
      inputs: {{x: {{from: one.nothing}}}}
      when: steps.one.outputs.acc > 0.5
      container: {{}}
    - name: three
      container: {{comand: [x]}}
"""
    assert findings(tmp_path, spec) == ["15: spec.steps[2].container: unknown field `comand`"]
    assert findings(tmp_path, spec.replace("comand", "command")) == [
        "10: spec.steps[1].after[0]: there is no step 'nobody'; the steps are one, two, three",
        "11: spec.steps[1].inputs.x.from: step 'one' has no artifact 'nothing'; it has data",
        "12: spec.steps[1].when: is not an expression: write ${{ steps.one.outputs.acc > 0.5 }}",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            "${{ params.trees / 2.0 }}",
            "10: spec.steps[0].params.x: 'params.trees / 2.0': the types do not fit. CEL does not mix int and float in "
            "arithmetic: write double(x) or int(x), and 2.0 for 2.",
        ),
        (
            "${{ params.trees / 2 }}",
            "10: warning: spec.steps[0].params.x: 'params.trees / 2' drops what follows the point (7 / 2 is 3): "
            "write double(7) / 2.0",
        ),
        ("${{ double(params.trees) / 2.0 }}", ""),
        ("${{ params.tree }}", "10: spec.steps[0].params.x: 'params.tree': spec.params has no 'tree'"),
        (
            "{{ params.trees }}",
            "10: warning: spec.steps[0].params.x: '{{ params.trees }}' is passed on as text: an expression is written ${{ … }}",
        ),
        (
            "$(params.trees)",
            "10: warning: spec.steps[0].params.x: '$(params.trees)' is passed on as text: an expression is written ${{ … }}",
        ),
        ("${{ params.trees", "10: spec.steps[0].params.x: '${{' has no closing '}}'"),
        ("y", "10: warning: a bare y is true or false to kubectl: put it in quotes"),
    ],
)
def test_traps_of_expressions_are_explained(tmp_path: Path, value: str, expected: str) -> None:
    quoted = value if value == "y" else f'"{value}"'
    spec = f"  params: {{trees: 7}}\n  steps:\n    - name: one\n      container: {{command: [run]}}\n      params:\n        x: {quoted}\n"
    assert findings(tmp_path, spec) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("expression", "is_found"),
    [
        ("steps.one.outputs.acc * 100", True),
        ("steps.one.outputs.acc * 100.0", True),  # a step may leave 1 for 1.0
        ("double(steps.one.outputs.acc) * 100.0", False),
        ("steps.one.outputs.acc > 0.9", False),
        ("steps.one.outputs.unknown_until_run + 1", False),
    ],
)
def test_what_will_not_fit_at_run_time_is_foreseen(tmp_path: Path, expression: str, is_found: bool) -> None:
    step = f'    - name: two\n      container: {{command: [run]}}\n      params: {{x: "${{{{ {expression} }}}}"}}\n'
    warnings = [found for found in findings(tmp_path, f"  steps:\n{STEP}{step}") if "warning" in found]
    assert bool(warnings) is is_found
    assert all("the types do not fit" in warning for warning in warnings)


def test_expressions_of_trials_are_tried_too(tmp_path: Path) -> None:
    spec = """\
  params: {trees: 7}
  steps:
    - name: tune
      tune:
        metric: {name: acc}
        space: {depth: {choice: [1, 2]}}
        step:
          container: {command: [run]}
          params: {x: "${{ params.trees + 0.5 }}", depth: "${{ trial.params.depth }}"}
"""
    [found] = findings(tmp_path, spec)
    assert found.startswith("13: spec.steps[0].tune.step.params.x: 'params.trees + 0.5': the types do not fit")


@pytest.mark.parametrize(
    "spec", ["  3\n", "  steps: 3\n", "  steps: [3]\n", "  steps: [{name: x, tune: {}}]\n", "  steps: []\n"]
)
def test_nonsense_is_a_finding_and_no_crash(tmp_path: Path, spec: str) -> None:
    assert findings(tmp_path, spec)


@pytest.mark.parametrize(
    "head",
    [
        "",
        "kind: MLWorkflow\n",
        "metadata: 3\n",
        HEAD.replace("w}", "../w}"),
        HEAD.replace("w}", "3}"),
        "metadata: [x]\n",
        "kind: 3\napiVersion: []\n",
    ],
)
def test_a_nonsensical_head_is_a_finding_and_no_crash(tmp_path: Path, head: str) -> None:
    assert findings(tmp_path, f"  steps:\n{STEP}", head)


def test_a_key_twice_is_an_error(tmp_path: Path) -> None:
    assert findings(tmp_path, f"  steps:\n{STEP}  steps:\n{STEP}")[0] == "9: the key 'steps' is in line 5 too"


NESTED = """\
  params: {trees: 7}
  steps:
    - name: folds
      forEach: {items: [1, 2]}
      params: {fold: "${{ item }}"}
      steps:
        - name: prep
          container: {command: [run]}
          outputs: {data: {}}
        - name: fit
          inputs: {x: {from: prep.data}}
          params: {count: "${{ params.trees * 2 }}", fold: "${{ params.fold }}"}
          container: {command: [run]}
  onExit:
    always:
      - name: tell
        container: {command: [run]}
        params: {how: "${{ workflow.phase }}"}
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("prep.data", "prep.date", ["15: spec.steps[0].steps[1].inputs.x.from: step 'prep' has no artifact 'date'; it has data"]),
        ("trees * 2", "trees * 0.5", ["16: spec.steps[0].steps[1].params.count: 'params.trees * 0.5': the types do not fit"]),
        ("trees * 2", "tree", ["16: spec.steps[0].steps[1].params.count: 'params.tree': spec.params has no 'tree'"]),
        ("items: [1, 2]", "item: [1, 2]", ["8: spec.steps[0].forEach: unknown field `item`"]),
        ("items: [1, 2]", 'items: "${{ params.tree }}"', ["8: spec.steps[0].forEach: 'params.tree': spec.params has no 'tree'"]),
        ("workflow.phase", "params.trees + 0.5", ["22: spec.onExit.always[0].params.how: 'params.trees + 0.5': the types do not fit"]),
        ("workflow.phase", "steps.nobody.phase", ["22: spec.onExit.always[0].params.how: there is no step 'nobody'"]),
        ("{command: [run]}\n          outputs", "{comand: [run]}\n          outputs", ["12: spec.steps[0].steps[0].container: unknown field `comand`"]),
        ("how: \"${{ workflow.phase }}\"", "how: '{{ workflow.phase }}'", ["22: warning: spec.onExit.always[0].params.how: '{{ workflow.phase }}' is passed on as text"]),
    ],
)  # fmt: skip
def test_findings_within_groups_fan_outs_and_exit_steps_have_their_lines(
    tmp_path: Path, old: str, new: str, expected: list[str]
) -> None:
    found = findings(tmp_path, NESTED.replace(old, new) if old else NESTED)
    assert len(found) == len(expected), found
    for one, start in zip(found, expected, strict=True):
        assert one.startswith(start)


def test_a_question_is_checked(tmp_path: Path) -> None:
    spec = """\
  steps:
    - name: ship
      approve:
        inputs:
          share: {type: number, default: much}
          by: {}
"""
    found = findings(tmp_path, spec)
    assert found[0].startswith("9: spec.steps[0].approve.inputs.share.default: ")
    assert found[1].startswith("10: spec.steps[0].approve.inputs.by: the step leaves an output of this name itself")

"""From YAML to Python and back: the same resource, whatever stands in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlworkflow as mlwf
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mlworkflow.core.kinds import KINDS
from mlworkflow.core.names import API_VERSION, KIND

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
AWKWARD = [
    "1e-3", "y", "n", "on", "Yes", "null", "~", "2024-01-01", "1:30", "0o17", "0x1F", "1_000", ".5", "+12e03", "<<", "=",
    "- a", "a: b", "# c", "%", "@", "`", "!x", "&a", "*a", "'", '"', "\\", "{{", "${{ a }}", "\t", "a\n", "\na", " a\n b\n",
    "a \nb", "\n\n", "|", ">", "?", "-", "---", "...", "a\r\nb", "\x85", "\u2028", "\ufeff", "\x00", "🚲",
]  # fmt: skip
texts = st.one_of(
    st.text(st.characters(codec="utf-8")),
    st.sampled_from(AWKWARD),
    st.from_regex(r"[-+0-9._eExob:]{1,8}", fullmatch=True),
    st.text("ab \n\t", max_size=30),
    st.text("word ", min_size=90, max_size=150),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
steps = st.dictionaries(st.sampled_from(["inputs", "params", "outputs", "when", "forEach", *KINDS]), values, max_size=4)
specs = st.fixed_dictionaries({"params": values, "steps": st.lists(steps, max_size=3)}, optional={"onExit": values})


def is_same(a: Any, b: Any) -> bool:
    """The same value in the same order and of the same types: 1 is not 1.0, nor true."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(is_same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(is_same, a, b))
    return repr(a) == repr(b)


def again(workflow: mlwf.Workflow) -> mlwf.Workflow:
    return mlwf.loads(workflow.to_yaml())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example(path: Path) -> None:
    for workflow in mlwf.load_all(path):
        assert is_same(again(workflow).resource, workflow.resource)
        assert yaml.safe_load(workflow.to_yaml()) == workflow.resource, "by the rules of YAML 1.1 too"


@settings(max_examples=120)
@given(specs)
@example({"params": {text: text for text in AWKWARD}, "steps": []})
def test_any_spec(spec: dict[str, Any]) -> None:
    resource = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "any"}, "spec": spec}
    workflow = mlwf.Workflow.of(resource)
    assert is_same(again(workflow).resource, resource)


def test_what_is_read_has_the_code_of_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "clean.py").write_text("def main():\n    return {'rows': 1}\n")
    file = tmp_path / "w.yaml"
    mlwf.Workflow.of(_with({"name": "clean", "python": {"file": "clean.py"}})).to_yaml(file)
    assert mlwf.load(file).spec["steps"][0]["python"]["source"].startswith("def main")


def test_several_in_one_file(tmp_path: Path) -> None:
    text = "---\n".join(mlwf.load(path).to_yaml() for path in EXAMPLES[:2])
    (tmp_path / "two.yaml").write_text(text)
    assert len(mlwf.load_all(tmp_path / "two.yaml")) == 2
    with pytest.raises(mlwf.RunsError, match="holds 2 workflows"):
        mlwf.load(tmp_path / "two.yaml")


def test_the_code_of_a_step_stays_readable() -> None:
    source = "def main():\n    return 1\n"
    text = mlwf.Workflow.of(_with({"name": "a", "python": {"source": source}})).to_yaml()
    assert "source: |\n          def main():\n              return 1\n" in text


def _with(step: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "w"}, "spec": {"steps": [step]}}

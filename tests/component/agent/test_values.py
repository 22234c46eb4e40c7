"""Values from one step's file to the next step's: the same, whatever is in them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from mlworkflow.gateway.runs import OutputSpec
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import Record, read_record

from tests.builders import write_record
from tests.component.agent.conftest import Bench

STRINGS = {
    "empty": "",
    "quotes": "it's \"quoted\" `so` ''twice''",
    "newlines": "a\nb\r\nc\n\n",
    "emoji": "🙂👩‍🔬 ü \u2028 \ufeff",
    "templates": "{{x}} {{=1+1}} ${{ params.x }} $(X) ${X} %s {0} <no value>",
    "backslashes": "\\ \\\\ \\n \\u0041 C:\\temp",
    "json": '{"a": "b"}',
    "null": "null",
    "spaces": "  a\t",
    "nul": "a\0b",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f",
    "large": 'x"\\🙂' * ((1 << 20) // 7),
}
NUMBERS = [
    "0", "-0.0", "1.0", "1e3", "0.1", "5e-324", "1.7976931348623157e308", "1e22", "9007199254740993", "18446744073709551615",
    "-9223372036854775809", "1234567890" * 30, "true", "null",
]  # fmt: skip
DOCUMENT = {
    "".join(STRINGS): [STRINGS | {"large": "", "numbers": [json.loads(text) for text in NUMBERS]}],
    "": {"": []},
}


def exact(value: Any) -> str:
    """Equal texts for equal values of equal types, and for no others."""
    return json.dumps(value, sort_keys=True)


def passed_on(bench: Bench, values: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a result's parameters once it has been written and read as a record."""
    key = AttemptKey(bench.namespace, "uid", "a", 0)
    record = Record(workflow="w", step="a", task="a", attempt=0, kind="container", exit_code=0, parameters=values)
    assert write_record(bench.store, key, record)
    read = read_record(bench.store, key)
    assert read is not None
    return dict(read.parameters)


def test_every_value_arrives_as_it_was_left(bench: Bench) -> None:
    source = bench.folder / "source"
    source.mkdir()
    outputs, expected = {}, {}
    for name, text in STRINGS.items():
        (source / name).write_bytes(text.encode() + b"\n")  # of a string one final newline is no part
        outputs[name], expected[name] = OutputSpec("string"), text
    for number, text in enumerate(NUMBERS):
        (source / f"n{number}").write_text(text)
        outputs[f"n{number}"], expected[f"n{number}"] = OutputSpec("json"), json.loads(text)
    (source / "document").write_text(json.dumps(DOCUMENT))
    (source / "undeclared").write_text(json.dumps(DOCUMENT, ensure_ascii=False))
    outputs["document"], expected["document"], expected["undeclared"] = OutputSpec("json"), DOCUMENT, DOCUMENT
    code, result, _, err = bench.run(bench.task(f'cp {source}/* "$MLWF_OUT/params/"', outputs=outputs))
    assert code == 0, err + result.message
    assert exact(dict(sorted(result.parameters.items()))) == exact(dict(sorted(expected.items())))

    kept = passed_on(bench, dict(result.parameters))
    at = bench.folder / "seen"
    script = f'cp "$MLWF_PARAMS" {at}.json; cp "$MLWF_TASK" {at}.task; env -0 > {at}.env'
    code, second, _, err = bench.run(bench.task(script, params=kept))
    assert code == 0, err + second.message
    for path in (at.with_suffix(".json"), at.with_suffix(".task")):
        seen = json.loads(path.read_bytes())
        assert exact(dict(sorted(seen.get("params", seen).items()))) == exact(dict(sorted(expected.items())))
        assert msgspec.json.decode(path.read_bytes()) is not None, "for every reader of JSON"
    pairs = dict(item.split(b"=", 1) for item in at.with_suffix(".env").read_bytes().split(b"\0") if b"=" in item)
    for name, text in STRINGS.items():
        found = pairs.get(b"MLWF_PARAM_" + name.upper().encode())
        assert found == (None if name in ("nul", "large") else text.encode())
    assert json.loads(pairs[b"MLWF_PARAM_DOCUMENT"]) == DOCUMENT


def test_a_value_of_1_mib_of_what_json_must_escape(bench: Bench) -> None:
    script = "head -c 1048576 /dev/zero | tr '\\0' '\\\\' > $MLWF_OUT/params/p"
    code, result, _, _ = bench.run(bench.task(script, outputs={"p": OutputSpec("string")}))
    assert code == 0, result.message
    assert result.parameters == {"p": "\\" * (1 << 20)}


def test_a_value_over_1_mib_is_named(bench: Bench) -> None:
    script = "head -c 1048577 /dev/zero | tr '\\0' x > $MLWF_OUT/params/big"
    code, result, _, _ = bench.run(bench.task(script, outputs={"big": OutputSpec("string")}))
    assert (code, result.reason, result.message) == (
        1, "OutputInvalid", "params/big: more than 1 MiB: make it an artifact",
    )  # fmt: skip

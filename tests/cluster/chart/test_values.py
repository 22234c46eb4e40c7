"""Values: every one documented, every one in the schema, and a mistake is refused with the place where it is."""

import json
import re
import subprocess
import sys

import pytest
import yaml


def test_the_chart_lints(helm, chart, values):
    assert "0 chart(s) failed" in helm(
        "lint", str(chart), "--strict", "--kube-version", "1.37.0", "--values", "-", text=yaml.safe_dump(values)
    )


def test_readme_and_schema_say_what_values_yaml_says(chart):
    subprocess.run([sys.executable, chart.parents[1] / "tools" / "chart_docs.py", "--check"], check=True)


def paths(node, schema, at=()):
    """The values of the schema, down to what is no longer an object with fixed keys."""
    if "properties" not in node:
        yield at
        return
    for key, below in node["properties"].items():
        if key != "global":
            yield from paths(below, schema, (*at, key))


def leaves(node, known, at=()):
    if at in known or not isinstance(node, dict):
        yield at
        return
    for key, below in node.items():
        yield from leaves(below, known, (*at, key))


def test_schema_and_values_have_the_same_keys(chart):
    schema = json.loads((chart / "values.schema.json").read_text())
    known = set(paths(schema, schema))
    assert known == set(leaves(yaml.safe_load((chart / "values.yaml").read_text()), known))


def test_every_object_of_the_schema_is_closed(chart):
    def open_objects(node, at):
        if isinstance(node, dict):
            if "properties" in node and node.get("additionalProperties") is not False and at[-1:] != ("properties",):
                yield at
            for key, below in node.items():
                yield from open_objects(below, (*at, key))

    assert not list(open_objects(json.loads((chart / "values.schema.json").read_text()), ()))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"bogus": 1}, "bogus"),
        ({"operator": {"replicas": 0}}, "operator.*replicas"),
        ({"store": {"server": "ceph"}}, "store.*server"),
        ({"store": {"pathStyle": "maybe"}}, "store.*pathStyle"),
        ({"store": {"bucket": "Bucket_"}}, "store.*bucket"),
        ({"store": {"patience": "a day"}}, "store.*patience"),
        ({"store": {"minio": {"image": {"pullPolicy": "never"}}}}, "pullPolicy"),
        ({"store": {"persistence": {"size": "much"}}}, "store.*persistence.*size"),
        ({"operator": {"logLevel": "loud"}}, "operator.*logLevel"),
        ({"operator": {"allowedImports": ["sklearn"]}}, "allowedImports"),
        ({"operator": {"workers": 0}}, "operator.*workers"),
        ({"operator": {"image": {"digest": "latest"}}}, "operator.*image.*digest"),
        ({"operator": {"tolerations": [{"keys": "x"}]}}, "keys"),
        ({"operator": {"extraEnv": [{"value": "x"}]}}, "extraEnv"),
        ({"security": {"runAsUser": 0}}, "security.*runAsUser"),
        ({"watchNamespaces": "team-a"}, "watchNamespaces"),
        ({"watchNamespaces": ["a", "a"]}, "watchNamespaces"),
        ({"gateway": {"url": "gateway:8080"}}, "gateway.*url"),
        ({"store": {"server": "external"}}, r"set store\.external\.url, for example https://"),
        ({"store": {"external": {"url": "https://s3"}}}, r"set store\.server=external"),
        ({"store": {"ca": {"secret": "a", "configMap": "b"}}}, r"store\.ca: set either secret or configMap"),
    ],
    ids=lambda case: json.dumps(case) if isinstance(case, dict) else "",
)
def test_a_mistake_is_refused_and_named(render, refused, values, said):
    with pytest.raises(refused) as error:
        render(values)
    assert re.search(said, str(error.value)), error.value


def test_a_parent_chart_may_pass_its_globals(render):
    assert render({"global": {"registry": "x"}})

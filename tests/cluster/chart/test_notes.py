"""What is printed after an install: the next commands, for these values.

Helm 4 alone prints it without a cluster; Helm 3 asks for one even in a dry run.
"""

import pytest
import yaml


@pytest.fixture
def notes(helm4, chart):
    def printed(values):
        text = helm4(
            "install",
            "rel",
            str(chart),
            "--namespace",
            "ml",
            "--dry-run=client",
            "--values",
            "-",
            text=yaml.safe_dump(values),
        )
        return text.partition("\nNOTES:\n")[2]

    return printed


def test_the_next_commands_are_there(notes):
    text = notes({})
    for command in (
        "kubectl -n ml rollout status deployment/rel-mlworkflow",
        "kubectl -n default apply -f examples/digits.yaml",
        "kubectl -n default wait --for=condition=Succeeded mlwf/digits",
        "mlwf -n default download digits evaluate.report",
        "--role=rel-mlworkflow-artifact-reader",
    ):
        assert command in text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"watchNamespaces": ["team-a", "team-b"]}, "kubectl -n team-a apply"),
        ({"watchNamespaces": ["team-a", "team-b"]}, "the workflows of team-a, team-b."),
        ({}, "the workflows of every namespace."),
        ({"store": {"persistence": {"enabled": False}}}, "They are lost when its Pod goes"),
        ({"store": {"server": "seaweedfs"}}, "PersistentVolumeClaim rel-mlworkflow-seaweedfs"),
        ({"store": {"persistence": {"existingClaim": "disk"}}}, "PersistentVolumeClaim disk."),
        (
            {"store": {"server": "external", "external": {"url": "https://s3.x"}}},
            "cloud identity of service account rel-mlworkflow.",
        ),
        (
            {"store": {"server": "external", "external": {"url": "https://s3.x"}, "existingSecret": "k"}},
            "keys in Secret k.",
        ),
        ({"rbac": {"aggregate": False}}, "once rbac.aggregate is true"),
    ],
)
def test_they_follow_the_values(notes, values, said):
    assert said in notes(values)


def test_no_trailing_blanks_and_no_long_lines(notes, values):
    for line in notes(values).splitlines():
        assert line == line.rstrip()
        assert len(line) <= 120

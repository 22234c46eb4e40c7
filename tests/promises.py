"""What the examples promise: each function looks at an example that has ended, wherever it ran, and knows nothing of where."""

from __future__ import annotations

import csv
import datetime
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlworkflow_steps
import pandas as pd
import pytest
import yaml
from mlworkflow.core.plan import Plan
from mlworkflow.core.study import study_of
from mlworkflow.engine.sampling import Question, Searches, Told
from pages import no_network

Span = tuple[datetime.datetime, datetime.datetime]


@dataclass(frozen=True, slots=True)
class Ended:
    """A workflow that has ended: its status, and a way to `download` an artifact (`step.name`): the file or directory it became."""

    status: dict[str, Any]
    download: Callable[[str], Path]

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """The steps and what they are made of, by id."""
        return {task["name"]: task for task in [*self.status["steps"], *self.status.get("tasks", [])]}

    @property
    def phases(self) -> dict[str, str]:
        return {name: task["phase"] for name, task in self.tasks.items()}

    def outputs(self, task: str) -> dict[str, Any]:
        outputs: dict[str, Any] = self.tasks[task].get("outputs", {})
        return outputs

    def text(self, artifact: str) -> str:
        return self.download(artifact).read_text()

    def span(self, task: str) -> Span:
        found = self.tasks[task]
        return datetime.datetime.fromisoformat(found["startedAt"]), datetime.datetime.fromisoformat(found["finishedAt"])

    def is_ordered(self, *tasks: str) -> bool:
        """Whether each began when the one before it had ended."""
        spans = [self.span(task) for task in tasks]
        return all(first[1] <= then[0] for first, then in itertools.pairwise(spans))

    def most_at_once(self, tasks: Iterable[str]) -> int:
        """How many of some tasks were under way at the same time. One that begins in the moment in which another ends does not meet it."""
        moments = sorted((at, change) for task in tasks for at, change in zip(self.span(task), (1, -1), strict=True))
        open_now = most = 0
        for _, change in moments:
            open_now += change
            most = max(most, open_now)
        return most


def fan_out(ended: Ended) -> None:
    items = [f"score/{index}" for index in range(5)]
    assert ended.status["phase"] == "Succeeded"
    phases = {"score/2": "Failed"}
    assert ended.phases == {name: phases.get(name, "Succeeded") for name in ["look", "score", "merge", *items]}
    assert ended.tasks["score/2"]["message"].startswith("exit code 3")
    assert ended.is_ordered("look", "score/0")
    assert ended.is_ordered("score", "merge")
    assert ended.most_at_once(items) <= 3
    assert ended.outputs("score") == {"scored": [3, 5, None, 9, 11]}
    assert ended.outputs("merge") == {"rows": 28, "stars": 3.107}
    table = ended.text("merge.table").splitlines()
    assert (table[0], table[1], table[-1]) == ("shard,row,stars", "part-0,1,3", "part-4,11,3")
    index = json.loads(ended.text("merge.index"))
    assert [member["path"] for member in index] == ["0000", "0001", None, "0003", "0004"]
    assert [member["phase"] for member in index] == ["Succeeded", "Succeeded", "Failed", "Succeeded", "Succeeded"]
    assert index[3]["item"] == {"name": "part-3", "rows": 9}
    scores = ended.download("score.scores")
    assert json.loads((scores / "index.json").read_text()) == index
    assert (scores / "0000").read_text() == "part-0,1,3\npart-0,2,5\npart-0,3,2\n"


def matrix(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    skipped = {"forecast/1", "forecast/2"}
    items = [f"forecast/{index}" for index in range(9)]
    assert {name for name, phase in ended.phases.items() if phase == "Skipped"} == skipped
    assert all(ended.phases[name] == "Succeeded" for name in [*items, "forecast", "best"] if name not in skipped)
    assert {ended.tasks[name]["reason"] for name in skipped} == {"ConditionFalse"}
    errors = ended.outputs("forecast")["error"]
    assert errors[:3] == [2.8571, None, None]
    assert errors[3] == errors[0], "the mean of one value is the last value"
    assert errors[4] == min(error for error in errors if error is not None) == 2.6429
    assert ended.outputs("best") == {"winner": "mean 2 2.6429"}
    ranking = ended.text("best.ranking").splitlines()
    assert [line.split()[:2] for line in ranking[:3]] == [["mean", "2"], ["last", "1"], ["mean", "1"]]
    assert len(ranking) == 7


def groups(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    tried = {name: phase for name, phase in ended.phases.items() if name.startswith("folds/2.")}
    assert tried == {"folds/2.split": "Succeeded", "folds/2.fit": "Failed", "folds/2.score": "Skipped"}
    assert ended.tasks["folds/2.score"]["reason"] == "DependencyFailed"
    again = {name: phase for name, phase in ended.phases.items() if name.startswith("folds~1/")}
    assert again == dict.fromkeys(["folds~1/2.split", "folds~1/2.fit", "folds~1/2.score"], "Succeeded")
    assert {name: ended.tasks[f"folds/{name}"]["attempts"] for name in range(4)} == {0: 1, 1: 1, 2: 2, 3: 1}
    assert "fold 2 of 4: the file is damaged" in ended.tasks["folds/2.fit"]["message"]
    assert ended.is_ordered("data", "folds/0.split", "folds/0.fit", "folds/0.score")
    assert ended.is_ordered("folds", "summary")
    rmse = ended.outputs("folds")["rmse"]
    assert rmse == [ended.outputs(f"{scope}.score")["rmse"] for scope in ("folds/0", "folds/1", "folds~1/2", "folds/3")]
    assert ended.outputs("summary")["rmse"] == round(sum(rmse) / 4, 4)
    models = [line.split() for line in ended.text("summary.models").splitlines()]
    assert len(models) == 4
    assert all(abs(float(slope) - 3) < 0.05 and abs(float(intercept) - 2) < 0.6 for slope, intercept in models)


def conditions(ended: Ended) -> None:
    """With the few rows of the file."""
    assert ended.status["phase"] == "Succeeded"
    ran = dict.fromkeys(["data", "exact", "join", "tidy"], "Succeeded")
    assert ended.phases == {**ran, "sampled": "Skipped", "inspect": "Skipped"}
    assert ended.tasks["sampled"]["reason"] == "ConditionFalse"
    assert ended.tasks["inspect"]["reason"] == "DependencySkipped"
    told = "the exact fit: Succeeded"
    assert ended.outputs("join") == {"has_sample": False, "used": 200, "told": told}
    assert ended.text("join.model") == "exact 100.5\n"
    assert ended.text("join.notes") == "no sample was drawn\n"
    assert ended.is_ordered("data", "exact", "join")
    assert ended.is_ordered("exact", "tidy")


def conditions_of_many(ended: Ended) -> None:
    """With 5000 rows: the other branch."""
    assert ended.status["phase"] == "Succeeded"
    ran = dict.fromkeys(["data", "sampled", "join", "inspect", "tidy"], "Succeeded")
    assert ended.phases == {**ran, "exact": "Skipped"}
    assert ended.outputs("join") == {"has_sample": True, "used": 500, "told": "the exact fit: Skipped"}
    assert ended.text("join.model") == "sampled 2505\n"
    assert ended.text("join.notes") == "10\n"


def retries(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    succeeded = dict.fromkeys(["train", "publish", "download"], "Succeeded")
    assert ended.phases == {**succeeded, "notify": "Failed"}
    train = ended.tasks["train"]
    assert (train["attempts"], train["failures"], train.get("losses", 0)) == (2, 1, 0)
    assert ended.outputs("train") == {"resumed_from": 3}
    before, after = ["epoch 1", "epoch 2", "epoch 3"], ["epoch 4", "epoch 5", "epoch 6"]
    history = [f"{epoch}, attempt 0" for epoch in before] + [f"{epoch}, attempt 1" for epoch in after]
    assert ended.text("train.history").splitlines() == history
    began, finished = ended.span("train")
    assert (finished - began).total_seconds() >= 1, "the back-off"
    assert ended.tasks["notify"]["attempts"] == 1, "retry.only does not name its exit code"
    assert "the mail server says no" in ended.tasks["notify"]["message"]
    assert ended.outputs("publish") == {"summary": "6 epochs in 2 attempts, notify: Failed"}
    assert (ended.tasks["download"]["attempts"], ended.tasks["download"]["failures"]) == (2, 1)
    assert ended.is_ordered("train", "notify", "publish")


def exit_after_success(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    ran = dict.fromkeys(["train", "register", "summary", "announce"], "Succeeded")
    assert ended.phases == {**ran, "alarm": "Skipped"}
    assert ended.tasks["alarm"]["reason"] == "NotConcerned"
    line = "Succeeded: train Succeeded, register Succeeded"
    assert ended.outputs("summary") == {"line": line, "cause": ""}
    assert ended.is_ordered("train", "register", "summary", "announce")


def exit_after_failure(ended: Ended) -> None:
    """With an accuracy that is not enough."""
    assert ended.status["phase"] == "Failed"
    assert ended.phases == {
        "train": "Failed",
        "register": "Skipped",
        "summary": "Succeeded",
        "announce": "Skipped",
        "alarm": "Succeeded",
    }
    assert ended.outputs("summary")["line"] == "Failed: train Failed, register Skipped"
    assert ended.outputs("summary")["cause"] == ended.status["message"]
    assert ended.status["message"].startswith("step 'train' failed: Error: exit code 1")
    assert ended.is_ordered("train", "summary")
    assert ended.is_ordered("train", "alarm")


def approval(ended: Ended, by: str) -> None:
    """After a yes of `by`, with a share of 0.25, the default for the rest, and the comment `looks good`."""
    assert ended.status["phase"] == "Succeeded"
    assert ended.phases == dict.fromkeys(["train", "release", "deploy"], "Succeeded")
    release = {"approved": True, "by": by, "comment": "looks good", "share": 0.25, "stage": "test", "notes": ""}
    assert ended.outputs("release") == release
    told = f"test gets 0.25 of the traffic, says {by}: looks good"
    assert ended.outputs("deploy") == {"deployed": told}
    assert ended.is_ordered("train", "release", "deploy")


def rejection(ended: Ended, by: str) -> None:
    """After a no of `by`, with the comment `too early`."""
    assert ended.status["phase"] == "Failed"
    assert ended.phases == {"train": "Succeeded", "release": "Failed", "deploy": "Skipped"}
    release = ended.tasks["release"]
    assert (release["reason"], release["message"]) == ("Rejected", f"rejected by {by}: too early")


def locks(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    embed, index = [f"embed/{number}" for number in range(6)], [f"index/{number}" for number in range(3)]
    assert ended.phases == dict.fromkeys(["embed", "index", "check", *embed, *index], "Succeeded")
    found = ended.outputs("check")
    assert 1 <= found["embed"] <= 2, "by the steps' own notes"
    assert found["index"] == 1
    assert ended.most_at_once(embed) == 2, "by the status"
    assert ended.most_at_once(index) == 1


def timeouts(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    assert set(ended.phases.values()) == {"Succeeded"}
    assert {"check/0", "check/1", "check/2", "report.write", "bye"} <= ended.phases.keys()
    assert {task["attempts"] for task in ended.tasks.values()} == {1}
    assert ended.outputs("bye") == {"line": "Succeeded, train Succeeded"}
    assert ended.text("report.page") == "all is well\n"
    assert ended.is_ordered("train", "check", "report", "bye")


def sweep(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    inner = [f"candidates/{number}.{step}" for number in range(3) for step in ("train", "evaluate")]
    groups = [f"candidates/{number}" for number in range(3)]
    assert ended.phases == dict.fromkeys(["prep", "candidates", "choose", *groups, *inner], "Succeeded")
    assert ended.is_ordered("prep", "candidates/0.train", "candidates/0.evaluate")
    assert ended.is_ordered("candidates", "choose")
    accuracies = ended.outputs("candidates")["accuracy"]
    assert len(accuracies) == 3
    assert ended.outputs("choose") == {"best": "neighbours", "accuracy": max(accuracies)}
    assert max(accuracies) == accuracies[2] > 0.95
    assert json.loads(ended.text("choose.scores")) == json.loads(
        (ended.download("candidates.scores") / "0002").read_text()
    )
    model, members = ended.download("choose.model"), ended.download("candidates.model")
    assert files(model) == files(members / "0002"), "the best model, byte for byte"


def profile_of_many_columns(ended: Ended) -> None:
    _profile(ended, chosen="forest", other="neighbours")
    assert ended.outputs("look")["rows"] == 1797
    assert ended.outputs("look")["classes"] == 10


def profile_of_few_columns(ended: Ended) -> None:
    _profile(ended, chosen="neighbours", other="forest")
    assert ended.outputs("look")["columns"] == 14


def _profile(ended: Ended, chosen: str, other: str) -> None:
    assert ended.status["phase"] == "Succeeded"
    assert ended.phases == dict.fromkeys(["look", "prep", chosen, "evaluate"], "Succeeded") | {other: "Skipped"}
    assert ended.outputs("evaluate")["accuracy"] > 0.9
    facts = json.loads(ended.text("look.profile"))
    assert [facts["rows"], len(facts["columns"])] == [ended.outputs("look")[name] for name in ("rows", "columns")]
    no_network(ended.text("look.report"))


def text_as_ngrams(ended: Ended) -> None:
    assert ended.outputs("look")["samples_per_words"] < 1500
    _text(ended, taken="ngrams", other="sequences")


def text_as_sequences(ended: Ended) -> None:
    assert ended.outputs("look")["samples_per_words"] >= 1500
    _text(ended, taken="sequences", other="ngrams")


def _text(ended: Ended, taken: str, other: str) -> None:
    """One branch ran, the other was skipped and did not fail, and the model that came out of it takes texts as they are."""
    assert ended.status["phase"] == "Succeeded"
    assert {name: ended.phases[name] for name in ("ngrams", "sequences")} == {taken: "Succeeded", other: "Skipped"}
    assert ended.outputs("evaluate")["accuracy"] >= 0.95
    model = mlworkflow_steps.load(ended.download(f"{taken}.model"))
    texts = ["the film was not bad and long overall", "actors played some scenes story not good", "film good story", "bad actors was"]  # fmt: skip
    assert list(model.predict(pd.DataFrame({"text": texts}))) == ["praise", "none", "praise", "none"]


_CHECKED = ("data", "check", "prep", "check-split", "train", "check-next")


def partitioned(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    train = ended.outputs("train")
    assert (train["partition_count"], train["fallback_count"]) == (3, 1)
    router = json.loads((ended.download("train.model") / "router.json").read_text())
    assert router["partitions"] == train["partitions"]
    assert {value for value, folder in router["partitions"].items() if folder == router["fallback"]} == {"nome"}
    assert router["why"]["nome"].endswith("rows, and minRows is 40")
    assert ended.outputs("evaluate")["r2"] > 0.9 > train["cv_r2"]
    said, rows = (pd.read_parquet(ended.download(artifact)) for artifact in ("predict.predictions", "prep.test"))
    assert list(said["city"]) == list(rows["city"])
    for city, folder in router["partitions"].items():
        own = mlworkflow_steps.load(ended.download("train.model") / folder)
        of_city = (rows["city"] == city).to_numpy()
        assert abs(said["prediction"][of_city] - own.predict(rows[of_city])).max() < 1e-9, city


def validate(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    assert ended.phases == dict.fromkeys(_CHECKED, "Succeeded") | {"alarm": "Skipped"}
    assert [ended.outputs(step)["codes"] for step in ("check", "check-split", "check-next")] == [[], [], []]
    assert json.loads(ended.text("check.schema"))["columns"]["hour"] == {"type": "integer", "min": 0, "max": 23, "missing": 0.0}  # fmt: skip
    assert ended.text("check-next.schema") == ended.text("check.schema"), "it is frozen"


def validate_broken(ended: Ended) -> None:
    document = _refused(ended)
    blocking = {each["code"]: each["columns"] for each in document["anomalies"] if each["level"] == "block"}
    assert blocking == {"ColumnMissing": ["wind"], "NewCategory": ["site"], "MissingValues": ["temp"]}


def validate_leak(ended: Ended) -> None:
    document = _refused(ended)
    blocking = [(each["code"], each["columns"]) for each in document["anomalies"] if each["level"] == "block"]
    assert blocking == [("TargetLeakage", ["members", "guests"])]


def validate_drift(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    assert ended.phases == dict.fromkeys([*_CHECKED, "alarm"], "Succeeded")
    assert ended.outputs("check")["drifted"] == ["temp"]
    assert ended.text("alarm.note") == 'drifted: ["temp"]\n'


def _refused(ended: Ended) -> dict[str, Any]:
    """What a check that failed has left: the anomalies. Nothing was made of the data."""
    assert ended.status["phase"] == "Failed"
    assert "DataInvalid" in ended.status["message"]
    assert ended.phases == dict.fromkeys([*_CHECKED, "alarm"], "Skipped") | {"data": "Succeeded", "check": "Failed"}
    assert ended.tasks["check"]["reason"] == "DataInvalid"
    page = ended.text("check.report")
    no_network(page)
    assert "Blocked" in page
    document: dict[str, Any] = json.loads(ended.text("check.anomalies"))
    return document


def bike(ended: Ended, *, is_real: bool) -> None:
    """`is_real`: the published table, of which the tutorial's grid gives these numbers."""
    assert ended.status["phase"] == "Succeeded", ended.status
    tried = [ended.outputs(f"tune/{number}") for number in range(4)]
    best = ended.outputs("tune")["best"]
    assert best["value"] == min(trial["cv_rmse"] for trial in tried)
    assert all(len(trial["fold_rmse"]) == 3 for trial in tried)
    random, by_time = (ended.outputs(f"evaluate-{split}") for split in ("random", "by-time"))
    assert random["rmse"] <= 50
    assert random["rmse"] < by_time["rmse"], "a random split flatters"
    if is_real:
        assert best["params"] == {"max_depth": 5, "n_estimators": 100}
        assert (best["value"], random["rmse"], random["mae"], random["r2"]) == pytest.approx((46.4, 48.1, 30.8, 0.93), rel=0.01)  # fmt: skip
        assert by_time["rmse"] == pytest.approx(77.4, rel=0.05)


def bike_leak(ended: Ended) -> None:
    """What adds up to the demand is named, and nothing is trained."""
    assert ended.phases["check"] == "Failed"
    assert (
        "TargetLeakage: the sum of 'casual' and 'registered' is the target 'demand'" in ended.tasks["check"]["message"]
    )
    assert ended.phases["tune"] == "Skipped"


_PREDICTING = ["data", "prep", "train", "rehearse", "predict"]


def predict(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    assert ended.phases == dict.fromkeys(_PREDICTING, "Succeeded") | {"alarm": "Skipped"}
    _check_predictions(ended)
    assert ended.outputs("predict")["skewed"] == []


def predict_warm(ended: Ended) -> None:
    assert ended.phases == dict.fromkeys([*_PREDICTING, "alarm"], "Succeeded")
    _check_predictions(ended)
    assert ended.text("alarm.note") == 'unlike the training table: ["temp"]\n'
    page = ended.text("predict.report")
    no_network(page)
    assert "Drift in “temp”" in page


def predict_renamed(ended: Ended) -> None:
    assert ended.phases == dict.fromkeys(_PREDICTING, "Succeeded") | {"predict": "Failed", "alarm": "Skipped"}
    assert ended.tasks["predict"]["reason"] == "ColumnNotFound"
    assert "temp (is it 'temperature' now?)" in ended.tasks["predict"]["message"]


def _check_predictions(ended: Ended) -> None:
    """Every row has its answer, near the truth that the example is made by, and the digest of the model as the run has it."""
    rows = pd.read_csv(ended.download("data.next")).merge(
        pd.read_parquet(ended.download("predict.predictions")), "left"
    )
    assert len(rows) == ended.outputs("predict")["rows"] == 400
    truth = 40 + rows["hour"] + 2 * rows["temp"] + 9 * (rows["site"] == "north")
    assert (rows["prediction"] - truth).abs().median() < 3
    digest = ended.tasks["train"]["artifacts"]["model"]["digest"]
    assert set(rows["model"]) == {digest}
    assert ended.outputs("predict")["model"] == digest
    assert ended.outputs("rehearse") == {"passed": True}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def dataset(ended: Ended) -> None:
    """Where the dataset `numbers` is the numbers from 1 to 100, a line each."""
    assert ended.status["phase"] == "Succeeded"
    (named,) = ended.tasks.keys() - {"train", "check"}
    assert named.startswith("dataset-numbers-")
    assert ended.tasks[named]["artifacts"]["data"]["digest"] == ended.outputs(named)["digest"]
    assert (ended.outputs("train"), ended.outputs("check")) == ({"mean": 50.5}, {"above": 50})
    assert ended.is_ordered(named, "train", "check")


def retrain_promoted(ended: Ended) -> None:
    """Of the first run, and of one that found drift."""
    assert ended.status["phase"] == "Succeeded"
    model, promoted = ended.tasks["train"]["artifacts"]["model"], ended.outputs("promote")
    assert promoted["digest"] == model["digest"]
    assert promoted["previous"] == ended.outputs("champion").get("version", 0) == promoted["version"] - 1
    assert "pod" not in ended.tasks["promote"]


def retrain_not_needed(ended: Ended) -> None:
    assert ended.outputs("check")["drifted"] == []
    assert {ended.tasks[name]["phase"] for name in ("prep", "train", "evaluate", "promote")} == {"Skipped"}


def retrain_rejected(ended: Ended) -> None:
    assert ended.outputs("check")["drifted"] == ["temp"]
    assert (ended.tasks["evaluate"]["reason"], ended.tasks["promote"]["phase"]) == ("GateFailed", "Skipped")
    assert "worse than the champion's" in ended.tasks["evaluate"]["message"]


def search(ended: Ended) -> None:
    trials = list(csv.DictReader(ended.download("tune.trials").open()))
    best = ended.outputs("tune")["best"]
    assert ended.status["phase"] == "Succeeded"
    assert (trials[0]["curve"], trials[0]["slope"], trials[0]["bend"], float(trials[0]["loss"])) == (
        "line",
        "3.0",
        "",
        369.325,
    )
    assert all((trial["bend"] != "") == (trial["curve"] == "parabola") and trial["bend"] != "0.0" for trial in trials)
    losses = [float(trial["loss"]) for trial in trials]
    assert best["value"] == min(losses) == losses[best["trial"]]
    assert len(losses) == 8 or [loss <= 0.5 for loss in losses] == [False] * (len(losses) - 1) + [True]
    assert json.loads(ended.text("tell.best")) == best
    assert [ended.tasks[f"tune/{number}"]["params"] for number in range(len(trials))] == _asked_again(losses)
    page, facts = ended.text("tune-report.report"), json.loads(ended.text("tune-report.facts"))
    no_network(page)
    assert "How parameters go together" in page
    assert (facts["best"]["trial"], facts["counts"]) == (best["trial"], {"Succeeded": len(losses)})
    table = pd.read_parquet(ended.download("tune-report.table"))
    assert list(table["value_loss"]) == losses
    assert list(table["params_curve"]) == [trial["curve"] for trial in trials]


def python(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    assert ended.outputs("clean") == {"dropped": 20}
    found = ended.outputs("explain")
    assert round(found["error"], 3) == 1.665
    assert (
        ended.text("explain.words") == f"Off by {found['error']:.1f} minutes; always the mean: {found['guess']:.1f}.\n"
    )


def pruning(ended: Ended) -> None:
    trials = list(csv.DictReader(ended.download("tune.trials").open()))
    outputs = ended.outputs("tune")
    assert ended.status["phase"] == "Succeeded"
    assert (outputs["best"]["params"], outputs["failed_count"]) == ({"rate": 0.3, "steps": 16}, 0)
    assert [trial["reason"] for trial in trials].count("Pruned") == outputs["pruned_count"] >= 1
    assert all(trial["phase"] == ("Cancelled" if trial["reason"] else "Succeeded") for trial in trials)
    assert trials[outputs["best"]["trial"]]["phase"] == "Succeeded"


def shared_pods(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    best = ended.outputs("tune")["best"]
    assert (best["params"], round(best["value"], 4)) == ({"degree": 5, "ridge": 0.0}, 0.0128)
    assert len(json.loads(ended.text("tune.weights"))) == 6


def warm_start(ended: Ended) -> None:
    assert ended.status["phase"] == "Succeeded"
    wide = [ended.tasks[f"wide/{number}"]["params"]["rate"] for number in range(8)]
    assert ended.outputs("narrow")["warm_count"] == sum(1 <= rate <= 5 for rate in wide) > 0
    assert "warm_count" not in ended.outputs("wide")
    first, best = ended.tasks["narrow/0"]["params"]["rate"], ended.outputs("narrow")["best"]
    assert abs(first - 3) < 0.5, "the first trial is near the best that is known, no draw from anywhere"
    assert best["value"] < 0.01


def _asked_again(losses: list[float]) -> list[dict[str, Any]]:
    """What the trials of the example must have been, by their losses alone: the same seed and history, the same parameters anywhere."""
    resource = yaml.safe_load((Path(__file__).parents[1] / "examples/search.yaml").read_text())
    step = Plan.of(resource).workflow.steps["tune"]
    study = study_of(step, {"params": resource["spec"]["params"]})
    told: list[Told] = []
    for loss in losses:
        (chosen,) = Searches().choose(Question(study, told=told, count=1))
        told.append(Told(chosen.params, [loss], True, chosen.noted, chosen.study))
    return [trial.params for trial in told]

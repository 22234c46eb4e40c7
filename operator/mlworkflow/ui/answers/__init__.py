"""What the page's server takes and gives, as JSON: the contract with the front end, whose `web/src/api/types.ts` is generated from here.

Names are camelCase on the wire, every field is always there. Times are milliseconds since the epoch, sizes bytes. A run is named by
`namespace` and `run` (its id: ``digits`` in a cluster, ``digits.2`` locally; or its uid); a task by `task` (``train``, ``tune/3``, ``folds/1.prep``), a
node of a graph by `node` (``folds.prep``: the step at its place, whatever item or attempt of it). Where lists come in pages, `cursor` is what the answer
before gave as `next` (empty: the first page, or the last). Every refusal is a `Problem`, with its status. POSTs are JSON, with the header
``X-Mlwf-Csrf`` as `Session.csrf` says. All paths are below ``/api/v1``.

GET /session → Session                                 401 Problem where somebody has to sign in first (`signIn` tells how: see GET /sign-in)
GET /sign-in → SignIn                                  open to all
POST /sign-in {token} → Session                        team mode: a Kubernetes token
GET /sign-in/oidc?back= → redirect                     team mode: to the identity provider, and back to the path `back`
POST /sign-out → Nothing
GET /rights?namespace= → Rights

GET /runs?namespace=&phase=&text=&sort=&cursor=&limit= → RunsPage
    namespace: empty for all that can be read; phase: comma separated; text: each word in name, namespace, message or a parameter; sort: ``-started`` (default), ``started``, ``-finished``,
    ``name``, ``-name``, ``duration``, ``-duration``; limit: up to 500, 100 by default;
    archived=1: those that were deleted, instead
GET /runs/events?namespace=&phase=&text=&sort=&limit= → events: `runs` RunsPage (the first page, when it changed; at once to begin with), `problem` Problem
GET /run?namespace=&run= → RunAnswer
GET /run/yaml?namespace=&run= → text/plain, as `RunAnswer.yaml`
GET /run/happened?namespace=&run= → EventsAnswer       what Kubernetes tells of it, which comes a moment after what it tells of
GET /run/events?namespace=&run= → events: `state` RunState (at once everything, then what changed), `gone` Problem, `problem` Problem. It stays open when the run has ended: it may be retried.
GET /run/tasks?namespace=&run=&node=&below=&phase=&text=&cursor=&limit= → TasksPage
    node: all tasks at that place (items, trials, attempts of groups); below: the direct parts of a task; neither: all tasks
GET /run/timeline?namespace=&run= → Timeline
GET /run/task?namespace=&run=&task=&attempt= → TaskAnswer       attempt: the last by default
GET /run/log?namespace=&run=&task=&attempt=&tail= → text/plain   tail: only so many bytes of its end (then ``X-Mlwf-Truncated: true``)
GET /run/log/events?namespace=&run=&task=&attempt= → events: `log` LogPiece, `end` Nothing, `problem` Problem. Begins with the end of what there is (256 KiB), goes on while the attempt runs.
GET /run/metrics?namespace=&run=&task=&attempt= → Metrics
GET /run/metrics/events?namespace=&run=&task=&attempt= → events: `metrics` Metrics (at once everything, then what is new), `end` Nothing
GET /run/study?namespace=&run=&task= → Study
GET /run/artifacts?namespace=&run=&text=&trials=&cursor=&limit= → ArtifactsPage      trials=1: what each trial, item and step of a group left, too

GET /artifact?namespace=&digest=&run=&type=&name=&path=&offset=&limit= → Preview
    run: one that holds it; type and name as `Artifact` says; path: of a member of a directory or collection; offset and limit: rows of a table, lines of a text
GET /artifact/download?namespace=&digest=&run=&type=&name=&path= → the bytes, as a file to be saved
GET /lineage?namespace=&digest= or &run=&task=&output= → Lineage
GET /compare?run=NAMESPACE/RUN&run=…[&all=1] → Comparison              2 to 8 runs; all: also what does not differ
GET /models?namespace= → ModelsAnswer
GET /model?namespace=&name= → Model
GET /datasets?namespace= → DatasetsAnswer
GET /dataset?namespace=&name= → DatasetAnswer
GET /schema → JSON Schema (2020-12) of a workflow, for the editor
GET /examples → Examples
POST /lint Text → LintAnswer

POST /submit Submit → Done                     also runs the file's workflow on this machine, where the page is local
POST /run/retry Retry → Done                   POST /run/approve Decision → Done
POST /run/suspend Which → Done                 POST /run/resume Which → Done
POST /run/cancel Which → Done                  POST /run/delete Which → Done           only a run that has ended
POST /model/promote Promotion → Done           POST /model/rollback Rollback → Done
"""

from __future__ import annotations

from mlworkflow.ui.answers.artifacts import Artifact, ArtifactsPage
from mlworkflow.ui.answers.asks import Decision, Promotion, Retry, Rollback, Submit, Which
from mlworkflow.ui.answers.base import (
    Answer,
    Column,
    Done,
    Finding,
    Json,
    Nothing,
    Params,
    Point,
    Problem,
    RunPhase,
    TaskPhase,
    Time,
    Verb,
)
from mlworkflow.ui.answers.comparing import CompareRow, CompareSeries, Comparison
from mlworkflow.ui.answers.datasets import DatasetAnswer, DatasetsAnswer, DatasetVersion
from mlworkflow.ui.answers.editing import Example, Examples, LintAnswer, Text
from mlworkflow.ui.answers.graph import Edge, Graph, Node, NodeState
from mlworkflow.ui.answers.lineage import Arrow, Lineage, LineageArtifact, LineageStep
from mlworkflow.ui.answers.models import Made, Model, ModelMove, ModelRow, ModelsAnswer, ModelVersion
from mlworkflow.ui.answers.pods import Container, EventsAnswer, KubeEvent, Pod
from mlworkflow.ui.answers.previews import (
    BinaryPreview,
    DirectoryPreview,
    Entry,
    HtmlPreview,
    ImagePreview,
    JsonPreview,
    Preview,
    PreviewBody,
    Stats,
    TableColumn,
    TablePreview,
    TextPreview,
)
from mlworkflow.ui.answers.runs import RunAnswer, RunRow, RunsPage, RunState
from mlworkflow.ui.answers.session import Rights, Session, SignIn
from mlworkflow.ui.answers.streams import LogPiece, Metrics, Series
from mlworkflow.ui.answers.studies import Dimension, Objective, Study
from mlworkflow.ui.answers.tasks import Approval, ArtifactLink, Question, TaskAnswer, TaskRow, TasksPage, Timeline

__all__ = [
    "Answer",
    "Approval",
    "Arrow",
    "Artifact",
    "ArtifactLink",
    "ArtifactsPage",
    "BinaryPreview",
    "Column",
    "CompareRow",
    "CompareSeries",
    "Comparison",
    "Container",
    "DatasetAnswer",
    "DatasetVersion",
    "DatasetsAnswer",
    "Decision",
    "Dimension",
    "DirectoryPreview",
    "Done",
    "Edge",
    "Entry",
    "EventsAnswer",
    "Example",
    "Examples",
    "Finding",
    "Graph",
    "HtmlPreview",
    "ImagePreview",
    "Json",
    "JsonPreview",
    "KubeEvent",
    "Lineage",
    "LineageArtifact",
    "LineageStep",
    "LintAnswer",
    "LogPiece",
    "Made",
    "Metrics",
    "Model",
    "ModelMove",
    "ModelRow",
    "ModelVersion",
    "ModelsAnswer",
    "Node",
    "NodeState",
    "Nothing",
    "Objective",
    "Params",
    "Pod",
    "Point",
    "Preview",
    "PreviewBody",
    "Problem",
    "Promotion",
    "Question",
    "Retry",
    "Rights",
    "Rollback",
    "RunAnswer",
    "RunPhase",
    "RunRow",
    "RunState",
    "RunsPage",
    "Series",
    "Session",
    "SignIn",
    "Stats",
    "Study",
    "Submit",
    "TableColumn",
    "TablePreview",
    "TaskAnswer",
    "TaskPhase",
    "TaskRow",
    "TasksPage",
    "Text",
    "TextPreview",
    "Time",
    "Timeline",
    "Verb",
    "Which",
]

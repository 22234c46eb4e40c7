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

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

Json: TypeAlias = Any
Time: TypeAlias = int | None
Params: TypeAlias = dict[str, Any]
Column: TypeAlias = list[Any]
Point: TypeAlias = tuple[float, float | None]
RunPhase: TypeAlias = Literal["Pending", "Running", "Suspended", "Succeeded", "Failed", "Cancelled"]
TaskPhase: TypeAlias = Literal["Pending", "Running", "Suspended", "Succeeded", "Failed", "Skipped", "Cancelled"]
Verb: TypeAlias = Literal["submit", "retry", "suspend", "resume", "approve", "cancel", "delete", "promote"]


class Answer(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of all of them."""


class Nothing(Answer, frozen=True):
    """There is nothing to say."""


class Problem(Answer, frozen=True):
    """Why something was not done."""

    status: Annotated[int, "As of HTTP: 400 bad request, 401 sign in, 403 not allowed, 404 not there (any more), 409 not now, 422 not sound, 502 the cluster does not answer."]  # fmt: skip
    message: Annotated[str, "What is wrong, one sentence."]
    hint: Annotated[str, "What to do; may be empty."] = ""
    findings: Annotated[list[Finding], "Of a workflow that is not sound: where."] = []


class Rights(Answer, frozen=True):
    """What the user may do in a namespace."""

    namespace: str
    may: Annotated[list[Verb], "Buttons for anything else need not be shown."]
    why: Annotated[str, "Why not all of it, one sentence; empty where nothing is missing."] = ""


class Session(Answer, frozen=True):
    """Who looks at what."""

    mode: Annotated[Literal["local", "cluster", "team"], "local: a folder of this machine; cluster: with the user's kubeconfig; team: signed in to a server in the cluster."]  # fmt: skip
    user: Annotated[str, "The name that decisions are signed with."]
    place: Annotated[str, "What is looked at: the folder, or the cluster's address."]
    namespace: Annotated[str, "Where a new workflow goes unless it says so itself."]
    namespaces: Annotated[list[str], "Those that the user can choose from, as far as is known."]
    rights: Annotated[Rights, "In `namespace`; for others ask /rights."]
    csrf: Annotated[str, "What POSTs carry in the header X-Mlwf-Csrf."]
    version: Annotated[str, "Of the server."]
    content_origin: Annotated[str, "Where previews of HTML come from: the one origin that frames may have. Empty: this one, sandboxed."]  # fmt: skip


class SignIn(Answer, frozen=True):
    """How to sign in."""

    is_needed: Annotated[bool, "False where there is a session already, or none is needed."]
    ways: list[Literal["token", "oidc", "link"]]
    provider: Annotated[str, "What the way `oidc` is called on its button."] = ""
    hint: Annotated[str, "How to get a token, or the link: a sentence or a command."] = ""


class RunRow(Answer, frozen=True):
    """A run in the list."""

    namespace: str
    id: Annotated[str, "What it is called: `digits`, locally `digits.2`."]
    uid: str
    phase: RunPhase
    progress: Annotated[str, "Finished steps / all steps."]
    message: Annotated[str, "The first cause of a failure; or what it waits for. At most 300 characters."]
    created: Time
    started: Time
    finished: Time
    waiting: Annotated[int, "How many steps wait for a person's decision."]
    params: Annotated[Params, "The workflow's own parameters; long ones are cut short."]
    is_archived: Annotated[bool, "It was deleted: what is kept of it can be looked at."] = False


class RunsPage(Answer, frozen=True):
    """Runs, a page of them."""

    rows: list[RunRow]
    next: Annotated[str, "The cursor of the next page; empty: there is none."]
    total: Annotated[int, "Runs that fit the namespace, the phase and the text."]
    phases: Annotated[dict[str, int], "Runs by phase that fit the namespace and the text, whatever phase is asked for."]
    namespaces: Annotated[list[str], "Namespaces that have runs, of those that can be read."]
    is_loading: Annotated[bool, "The index is not complete yet."]
    problems: Annotated[list[Problem], "Why some of it cannot be seen: no rights in a namespace, no answer."] = []


class Node(Answer, frozen=True):
    """A step at its place: what never changes of it while the spec stays the same."""

    id: Annotated[str, "Its place: `train`, `folds.prep`."]
    name: Annotated[str, "The step's name."]
    parent: Annotated[str, "The node that it is inside of: a group, or a search whose trials are groups. Empty: none."]
    kind: Annotated[str, "train, tune, container, steps, …"]
    role: Annotated[Literal["step", "fan", "search", "group", "approval", "fold"], "fan: forEach; search: tune; fold: `stands` alike steps of a large workflow that are shown as one."]  # fmt: skip
    stands: Annotated[int, "How many steps of the spec it stands for; 1, but for a fold."] = 1
    has_inner: Annotated[bool, "Others have it as their parent."] = False
    at: Annotated[str, "When it runs: empty, or for the end of the workflow: always, succeeded, failed."] = ""
    when: Annotated[str, "Its condition, as written."] = ""


class Edge(Answer, frozen=True):
    """What a node waits for."""

    source: Annotated[str, "A node's id."]
    target: Annotated[str, "A node's id."]
    kind: Annotated[Literal["data", "value", "order"], "data: artifacts; value: expressions; order: `after`."]
    artifacts: Annotated[list[str], "What goes along: names of the source's outputs; of `value` those of its output parameters."] = []  # fmt: skip


class Graph(Answer, frozen=True):
    """The steps and what they wait for."""

    nodes: Annotated[list[Node], "Topologically ordered; a parent comes before what is in it."]
    edges: list[Edge]
    left_out: Annotated[int, "Steps beyond the first 5,000 nodes, which are not drawn."] = 0


class NodeState(Answer, frozen=True):
    """How a node stands."""

    id: str
    phase: TaskPhase
    reason: Annotated[str, "One word: OOMKilled, GateFailed, …"] = ""
    message: Annotated[str, "At most 300 characters; the whole is in TaskAnswer."] = ""
    started: Time = None
    finished: Time = None
    attempts: int = 0
    cached: bool = False
    waits: Annotated[bool, "It waits for a person's decision (or something at its place does)."] = False
    counts: Annotated[dict[str, int], "Of a node that stands for many tasks: how many are in each phase. Empty for a single task."] = {}  # fmt: skip
    known: Annotated[int, "Of those: how many there are to be, as far as is known."] = 0


class RunState(Answer, frozen=True):
    """What changes of a run. As an event `nodes` are those only that changed."""

    phase: RunPhase
    progress: str
    message: str
    started: Time
    finished: Time
    generation: Annotated[int, "Changes when the spec does: get RunAnswer again."]
    nodes: list[NodeState]
    waiting: Annotated[list[str], "Tasks that wait for a decision, 20 at most."]
    may: Annotated[list[Verb], "What makes sense to ask of it now, and the user has the right to."]
    revision: Annotated[int, "Counts changes of the tasks: pages of tasks that are shown may be got again when it grows."]  # fmt: skip


class RunAnswer(Answer, frozen=True):
    """One run."""

    row: RunRow
    state: RunState
    graph: Graph
    params: Params
    spec: Annotated[Json, "As it is in the resource."]
    yaml: Annotated[str, "The workflow as YAML, without status and what the server added: to be read, copied, submitted again. Empty for one of more than 500 steps: GET /run/yaml."]  # fmt: skip
    labels: dict[str, str]
    annotations: dict[str, str]
    problems: Annotated[list[Problem], "Why the spec is not sound, or the graph cannot be drawn."]
    failures: Annotated[list[TaskRow], "What has failed itself, 20 at most, the first first."]
    events: Annotated[list[KubeEvent], "Kubernetes events of the workflow, the newest first; none locally."]


class TaskRow(Answer, frozen=True):
    """A task in a list."""

    task: str
    node: str
    phase: TaskPhase
    reason: str
    message: Annotated[str, "At most 300 characters."]
    attempts: int
    started: Time
    finished: Time
    cached: bool
    is_composed: Annotated[bool, "It runs nothing itself: `below` has its parts."]
    progress: Annotated[str, "Of what is made of others: ended / known."]
    params: Annotated[Params, "Of a trial: its parameters."]
    value: Annotated[float | None, "Of a trial: the number that decides."]


class TasksPage(Answer, frozen=True):
    """Tasks, a page of them, in the order of the workflow."""

    rows: list[TaskRow]
    next: str
    total: Annotated[int, "Tasks that fit."]
    phases: Annotated[dict[str, int], "By phase, whatever phase is asked for."]
    unlisted: Annotated[int, "Tasks that have succeeded and that the status does not list any more: counted in `total` and `phases`, not among the rows."]  # fmt: skip


class Timeline(Answer, frozen=True):
    """Every task that has started, as columns of the same length, by start."""

    tasks: list[str]
    nodes: Annotated[list[int], "Indices into `node_names`."]
    node_names: list[str]
    phases: Annotated[list[int], "Indices into `phase_names`."]
    phase_names: list[str]
    started: Annotated[list[int], "Milliseconds after `zero`."]
    finished: Annotated[list[int | None], "Milliseconds after `zero`; null: it runs."]
    cached: Annotated[list[int], "1 or 0."]
    zero: Annotated[int, "The start of the run."]
    now: Annotated[int, "The server's clock."]


class ArtifactLink(Answer, frozen=True):
    """An artifact as an input or output of a task."""

    name: str
    digest: Annotated[str, "`sha256:…`; empty: not there (yet)."]
    size: int | None
    type: Annotated[str, "file, directory or collection; empty: not known."]
    sources: Annotated[list[str], "Of an input: the outputs it is taken from, `prep.train`."] = []
    keep: Annotated[str, "Of an output: how long after its step it is removed; empty: kept as the run is."] = ""


class Question(Answer, frozen=True):
    """What a person is asked for."""

    name: str
    type: Literal["string", "number", "integer", "boolean", "json"]
    description: str
    default: Json
    has_default: Annotated[bool, "Else it has to be given."]
    enum: Annotated[list[Any], "The only values that are taken; empty: any."]


class Approval(Answer, frozen=True):
    """A decision that a task waits for."""

    message: str
    questions: list[Question]


class KubeEvent(Answer, frozen=True):
    """An event that Kubernetes tells of a Pod or of the workflow."""

    type: Annotated[str, "Normal or Warning."]
    reason: str
    message: str
    source: Annotated[str, "Who says so: kubelet, scheduler, …"]
    count: int
    first: Time
    last: Time


class Container(Answer, frozen=True):
    """A container of a Pod."""

    name: str
    image: str
    state: Annotated[str, "waiting, running or terminated."]
    reason: str
    exit_code: int | None
    restarts: int


class Pod(Answer, frozen=True):
    """The Pod of an attempt."""

    name: str
    phase: Annotated[str, "As Kubernetes says; `Gone`: it is deleted."]
    node: str
    containers: list[Container]
    events: list[KubeEvent]
    problem: Annotated[str, "Why it, or its events, cannot be read."] = ""


class TaskAnswer(Answer, frozen=True):
    """One attempt of a task, and the task."""

    row: TaskRow
    message: Annotated[str, "The whole of it, with the last lines of the log of what failed."]
    attempt: Annotated[int, "Which attempt this is of; -1: none has started."]
    attempts: Annotated[list[int], "Those there are, from 0."]
    kind: str
    params: Annotated[Params, "What it ran with; before that what the spec says, with its expressions."]
    spec: Annotated[Json, "The step as written."]
    inputs: list[ArtifactLink]
    outputs: list[ArtifactLink]
    parameters: Annotated[Params, "Output parameters."]
    metrics: Annotated[dict[str, float], "The last value of each."]
    series: Annotated[list[str], "Metrics that /run/metrics has more than one value of."]
    logs: Annotated[ArtifactLink | None, "The log as an artifact, once it is kept."]
    exit_code: int | None
    image: str
    image_digest: str
    code: Annotated[str, "A mark of the code and libraries that it ran with."]
    started: Annotated[Time, "Of this attempt."]
    finished: Time
    cached_from: Annotated[str, "`<uid>/<task>/<attempt>` whose result it took; empty: it ran."]
    cached_run: Annotated[str, "What that run is called, where it is known."]
    missed: Annotated[str, "Why no earlier result was taken; empty: none was looked for."]
    waits_for: Annotated[list[str], "Tasks that have to end before it can start."]
    approval: Approval | None
    decision: Annotated[Json, "What was decided: approved, by, comment, inputs; null: nothing yet."]
    pod: Annotated[Pod | None, "null locally, and for what has none."]
    report: Annotated[ArtifactLink | None, "An output to be shown as a page, if there is one (`report`)."]


class LogPiece(Answer, frozen=True):
    """The next piece of a log."""

    text: str
    is_reset: Annotated[bool, "What was shown before is to be dropped: another attempt, or the beginning."] = False


class Series(Answer, frozen=True):
    """The values of a metric on the way."""

    name: str
    points: Annotated[list[Point], "[step, value]; at most 2,000, evenly chosen, the last among them; a value is null where it was not a finite number."]  # fmt: skip
    total: Annotated[int, "Values that were sent."]


class Metrics(Answer, frozen=True):
    """Metrics of an attempt."""

    attempt: int
    series: list[Series]
    is_final: Annotated[bool, "The attempt has ended: nothing more comes."]


class Objective(Answer, frozen=True):
    """A metric that a search is after."""

    name: str
    goal: Literal["maximize", "minimize"]


class Dimension(Answer, frozen=True):
    """A parameter of a search."""

    name: str
    kind: Annotated[Literal["float", "int", "choice", "fixed"], "fixed: the same in every trial."]
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: list[Any] = []


class Study(Answer, frozen=True):
    """A search. Trials are columns of the same length, by number."""

    task: str
    algorithm: Annotated[str, "grid, random, tpe, …"]
    pruner: Annotated[str, "Empty: none."]
    objectives: list[Objective]
    space: list[Dimension]
    max_trials: int | None
    number: list[int]
    tasks: Annotated[list[str], "The task of each trial."]
    phase: list[TaskPhase]
    reason: Annotated[list[str], "Pruned, … or empty."]
    message: Annotated[list[str], "Of those that failed, 300 characters at most; else empty."]
    started: list[Time]
    finished: list[Time]
    cached: list[bool]
    params: Annotated[dict[str, Column], "By parameter; null where a trial does not have it."]
    values: Annotated[dict[str, Column], "By objective; null where a trial has not left it."]
    curves: Annotated[dict[str, list[Point]], "By a trial's number: [step, value] on the way, 200 at most."]
    is_pareto: Annotated[list[bool], "No other trial beats it in every objective."]
    best: Annotated[int | None, "The number of the trial that is best in the first objective."]
    importances: Annotated[dict[str, dict[str, float]] | None, "By objective: what share each parameter has in it, sum 1; null: not known (the search's report has to have run)."]  # fmt: skip
    ended: Annotated[str, "Why it ended before `max_trials`; empty: it did not."]
    unlisted: Annotated[int, "Trials whose parameters are not known here (yet)."]


class Artifact(Answer, frozen=True):
    """What a task left."""

    task: str
    name: str
    digest: str
    size: int
    type: Annotated[str, "file, directory or collection."]
    attempt: Annotated[int | None, "Of one that failed: what it left is to be looked at, and is no result."]
    looks: Annotated[str, "What its preview will probably be, guessed from its name and step: table, image, html, json, text, directory, model, binary; empty: ask."]  # fmt: skip


class ArtifactsPage(Answer, frozen=True):
    """Artifacts, a page of them."""

    rows: list[Artifact]
    next: str
    total: int


class Stats(Answer, frozen=True):
    """Of a column. Those that do not apply are null."""

    nulls: int
    distinct: Annotated[int | None, "At most 10,000 are counted, then null."] = None
    min: Json = None
    max: Json = None
    mean: float | None = None
    std: float | None = None
    histogram: Annotated[list[int], "Counts in 20 bins of equal width from min to max; empty where it is no number."] = []  # fmt: skip
    top: Annotated[list[tuple[Any, int]], "The 10 most frequent values of a column that is no number: [value, count]."] = []  # fmt: skip


class TableColumn(Answer, frozen=True):
    """A column of a table."""

    name: str
    type: Annotated[str, "int64, double, string, dictionary, …"]
    stats: Stats


class Entry(Answer, frozen=True):
    """A member of a directory or a collection."""

    path: Annotated[str, "Relative, with slashes; for the parameter `path`."]
    type: Literal["file", "directory", "link"]
    size: int
    target: Annotated[str, "Of a link."] = ""


class TablePreview(Answer, frozen=True, tag="table", tag_field="kind"):
    """Rows of a table (Parquet, CSV, Arrow)."""

    columns: list[TableColumn]
    rows: Annotated[list[list[Any]], "From `offset` on; numbers, strings, booleans, null; anything else as text."]
    offset: int
    total: Annotated[int, "Rows of the table; statistics are of `looked_at` of them."]
    looked_at: int
    left_out: Annotated[int, "Columns beyond the first 200."]
    format: Annotated[str, "parquet, csv, arrow."]


class ImagePreview(Answer, frozen=True, tag="image", tag_field="kind"):
    """PNG, JPEG, GIF, WebP: safe in an <img>."""

    url: Annotated[str, "Same origin."]
    media_type: str


class HtmlPreview(Answer, frozen=True, tag="html", tag_field="kind"):
    """HTML or SVG: not ours, for an <iframe sandbox="allow-scripts" src=url> only."""

    url: Annotated[str, "Of another origin, signed, good for some minutes: ask again for another."]
    expires: int


class JsonPreview(Answer, frozen=True, tag="json", tag_field="kind"):
    """A JSON document of up to 2 MiB."""

    value: Json


class TextPreview(Answer, frozen=True, tag="text", tag_field="kind"):
    """Lines of a text."""

    text: Annotated[str, "From line `offset` on."]
    offset: int
    lines: Annotated[int, "Lines in `text`."]
    has_more: bool
    language: Annotated[str, "yaml, markdown, csv, python, … or empty."] = ""


class DirectoryPreview(Answer, frozen=True, tag="directory", tag_field="kind"):
    """What is in a directory or a collection; a member's preview is had with `path`."""

    entries: Annotated[list[Entry], "All levels, sorted by path, from `offset` on."]
    offset: int
    total: int


class BinaryPreview(Answer, frozen=True, tag="binary", tag_field="kind"):
    """Nothing to be shown but its beginning."""

    head: Annotated[str, "The first 256 bytes, as hex digits."]
    why: Annotated[str, "Why there is no preview, one sentence: too large, a library is not installed, not known."]
    media_type: str = ""


PreviewBody: TypeAlias = (
    TablePreview | ImagePreview | HtmlPreview | JsonPreview | TextPreview | DirectoryPreview | BinaryPreview
)


class Preview(Answer, frozen=True):
    """An artifact, or a member of one, to be looked at."""

    digest: str
    name: str
    path: str
    size: int
    download: Annotated[str, "The address to save it from."]
    body: PreviewBody


class LineageArtifact(Answer, frozen=True):
    """An artifact in a lineage."""

    digest: str
    name: Annotated[str, "`train.model`, as far as a step has named it."]
    size: int | None
    type: str
    is_outside: Annotated[bool, "No step made it: it came from elsewhere."]


class LineageStep(Answer, frozen=True):
    """An attempt in a lineage."""

    id: Annotated[str, "`<uid>/<task>/<attempt>`."]
    run: str
    uid: str
    task: str
    attempt: int
    kind: str
    image: str
    code: str
    params: Params
    parameters: Params
    metrics: dict[str, float]
    cached_from: str


class Arrow(Answer, frozen=True):
    """From one to the other: ids of steps or digests of artifacts, in the direction of the data."""

    source: str
    target: str
    kind: Annotated[Literal["made", "used", "part", "cached"], "part: a task that the other is made of; cached: whose result it took."]  # fmt: skip
    name: Annotated[str, "Of the output or the input."]


class Lineage(Answer, frozen=True):
    """Where an artifact comes from, and what was made with it."""

    digest: str
    artifacts: list[LineageArtifact]
    steps: list[LineageStep]
    arrows: list[Arrow]
    left_out: Annotated[int, "Steps beyond the 500 nearest."] = 0


class CompareRow(Answer, frozen=True):
    """One thing in all runs."""

    kind: Annotated[Literal["phase", "param", "spec", "step", "input", "image", "code", "output", "metric"], "What it is."]  # fmt: skip
    where: Annotated[str, "`train.max_depth`, a path in the spec, `evaluate.accuracy`."]
    values: Annotated[list[Any], "Of each run, null where it has none."]
    differs: bool


class CompareSeries(Answer, frozen=True):
    """A metric on the way, in all runs."""

    task: str
    name: str
    runs: Annotated[list[list[Point] | None], "200 points of each run at most; null where it has none."]


class Comparison(Answer, frozen=True):
    """Runs beside each other."""

    runs: list[RunRow]
    rows: Annotated[list[CompareRow], "2,000 at most, those that differ first in each kind."]
    series: list[CompareSeries]
    left_out: Annotated[int, "Rows beyond them."] = 0


class Made(Answer, frozen=True):
    """The attempt that left a version."""

    run: Annotated[str, "The workflow's name, or the run's id where it is known."]
    uid: str
    task: str
    attempt: int


class ModelVersion(Answer, frozen=True):
    """A version of a model."""

    number: int
    digest: str
    size: int
    type: str
    added: Time
    by: str
    made: Made | None
    metrics: dict[str, float]
    aliases: list[str]


class ModelMove(Answer, frozen=True):
    """An alias that was moved."""

    number: int
    alias: str
    version: int
    previous: Annotated[int, "What it meant before; 0: nothing."]
    by: str
    at: Time
    message: str
    is_rollback: bool


class ModelRow(Answer, frozen=True):
    """A model in the list."""

    name: str
    aliases: Annotated[dict[str, int], "alias → version."]
    versions: int
    newest: ModelVersion | None
    champion: Annotated[ModelVersion | None, "What the alias `champion` means; null: nothing."]


class ModelsAnswer(Answer, frozen=True):
    """All models of a namespace."""

    models: list[ModelRow]


class Model(Answer, frozen=True):
    """A model: its versions and the moves of its aliases, the newest first."""

    name: str
    aliases: dict[str, int]
    versions: list[ModelVersion]
    moves: list[ModelMove]


class DatasetVersion(Answer, frozen=True):
    """A version of a dataset."""

    name: str
    digest: Annotated[str, "Which version: `NAME@sha256:…`."]
    size: int
    type: str
    source: Annotated[str, "Where it came from."]
    added: Time


class DatasetsAnswer(Answer, frozen=True):
    """The newest version of each dataset of a namespace."""

    datasets: list[DatasetVersion]


class DatasetAnswer(Answer, frozen=True):
    """The versions of one dataset, the newest first."""

    versions: list[DatasetVersion]


class Example(Answer, frozen=True):
    """A workflow to begin with."""

    name: str
    title: str
    text: str


class Examples(Answer, frozen=True):
    """Workflows to begin with."""

    examples: list[Example]


class Finding(Answer, frozen=True):
    """What is wrong with a workflow, or will surprise."""

    line: Annotated[int, "From 1."]
    path: Annotated[str, "The field: `spec.steps[1].train.estimator`."]
    message: str
    severity: Literal["error", "warning"]


class Text(Answer, frozen=True):
    """A YAML file as it is edited."""

    text: str


class LintAnswer(Answer, frozen=True):
    """What can be said of it before it runs."""

    findings: list[Finding]
    is_sound: Annotated[bool, "No errors: it can be submitted."]
    workflows: Annotated[list[str], "Their names; one is submitted, more are refused."]
    params: Annotated[Params, "Of the first workflow, with what they are without being set."]
    graph: Annotated[Graph | None, "Of the first workflow, if it is sound."]


class Submit(Answer, frozen=True):
    """A new run."""

    text: str
    namespace: str = ""
    params: Annotated[Params, "Instead of those of the file."] = {}
    no_cache: Annotated[bool, "Every step runs, whatever has been done before."] = False


class Which(Answer, frozen=True):
    """A run."""

    namespace: str
    run: str


class Retry(Answer, frozen=True):
    """Run again what failed, has changed or is named, and what depends on it."""

    namespace: str
    run: str
    steps: list[str] = []
    params: Annotated[Params, "To go on with instead."] = {}


class Decision(Answer, frozen=True):
    """The answer to a task that waits for approval."""

    namespace: str
    run: str
    task: str
    approved: bool
    comment: str = ""
    inputs: Params = {}


class Promotion(Answer, frozen=True):
    """Have an alias mean a model: `version`, or what the `task` of a `run` left as its `output`."""

    namespace: str
    name: str
    alias: str = "champion"
    version: Annotated[str, "A number, an alias or a digest; empty: `run` and `task` say it."] = ""
    run: str = ""
    task: str = ""
    output: str = "model"
    expect: Annotated[str, "What the alias has to mean before: a version's number, or `none`; empty: whatever."] = ""
    message: str = ""


class Rollback(Answer, frozen=True):
    """Have an alias mean what it meant before."""

    namespace: str
    name: str
    alias: str = "champion"
    message: str = ""


class Done(Answer, frozen=True):
    """It was done."""

    message: Annotated[str, "One sentence, to be shown."]
    namespace: str = ""
    run: Annotated[str, "The run that it is about now: a new one, or the same."] = ""

// Generated from operator/mlworkflow/ui/answers/ by `python -m mlworkflow.ui.types`. Do not edit.

/**
 * What the page's server takes and gives, as JSON: the contract with the front end, whose `web/src/api/types.ts` is generated from here.
 *
 * Names are camelCase on the wire, every field is always there. Times are milliseconds since the epoch, sizes bytes. A run is named by
 * `namespace` and `run` (its id: ``digits`` in a cluster, ``digits.2`` locally; or its uid); a task by `task` (``train``, ``tune/3``, ``folds/1.prep``), a
 * node of a graph by `node` (``folds.prep``: the step at its place, whatever item or attempt of it). Where lists come in pages, `cursor` is what the answer
 * before gave as `next` (empty: the first page, or the last). Every refusal is a `Problem`, with its status. POSTs are JSON, with the header
 * ``X-Mlwf-Csrf`` as `Session.csrf` says. All paths are below ``/api/v1``.
 *
 * GET /session → Session                                 401 Problem where somebody has to sign in first (`signIn` tells how: see GET /sign-in)
 * GET /sign-in → SignIn                                  open to all
 * POST /sign-in {token} → Session                        team mode: a Kubernetes token
 * GET /sign-in/oidc?back= → redirect                     team mode: to the identity provider, and back to the path `back`
 * POST /sign-out → Nothing
 * GET /rights?namespace= → Rights
 *
 * GET /runs?namespace=&phase=&text=&sort=&cursor=&limit= → RunsPage
 *     namespace: empty for all that can be read; phase: comma separated; text: each word in name, namespace, message or a parameter; sort: ``-started`` (default), ``started``, ``-finished``,
 *     ``name``, ``-name``, ``duration``, ``-duration``; limit: up to 500, 100 by default;
 *     archived=1: those that were deleted, instead
 * GET /runs/events?namespace=&phase=&text=&sort=&limit= → events: `runs` RunsPage (the first page, when it changed; at once to begin with), `problem` Problem
 * GET /run?namespace=&run= → RunAnswer
 * GET /run/yaml?namespace=&run= → text/plain, as `RunAnswer.yaml`
 * GET /run/happened?namespace=&run= → EventsAnswer       what Kubernetes tells of it, which comes a moment after what it tells of
 * GET /run/events?namespace=&run= → events: `state` RunState (at once everything, then what changed), `gone` Problem, `problem` Problem. It stays open when the run has ended: it may be retried.
 * GET /run/tasks?namespace=&run=&node=&below=&phase=&text=&cursor=&limit= → TasksPage
 *     node: all tasks at that place (items, trials, attempts of groups); below: the direct parts of a task; neither: all tasks
 * GET /run/timeline?namespace=&run= → Timeline
 * GET /run/task?namespace=&run=&task=&attempt= → TaskAnswer       attempt: the last by default
 * GET /run/log?namespace=&run=&task=&attempt=&tail= → text/plain   tail: only so many bytes of its end (then ``X-Mlwf-Truncated: true``)
 * GET /run/log/events?namespace=&run=&task=&attempt= → events: `log` LogPiece, `end` Nothing, `problem` Problem. Begins with the end of what there is (256 KiB), goes on while the attempt runs.
 * GET /run/metrics?namespace=&run=&task=&attempt= → Metrics
 * GET /run/metrics/events?namespace=&run=&task=&attempt= → events: `metrics` Metrics (at once everything, then what is new), `end` Nothing
 * GET /run/study?namespace=&run=&task= → Study
 * GET /run/artifacts?namespace=&run=&text=&trials=&cursor=&limit= → ArtifactsPage      trials=1: what each trial, item and step of a group left, too
 *
 * GET /artifact?namespace=&digest=&run=&type=&name=&path=&offset=&limit= → Preview
 *     run: one that holds it; type and name as `Artifact` says; path: of a member of a directory or collection; offset and limit: rows of a table, lines of a text
 * GET /artifact/download?namespace=&digest=&run=&type=&name=&path= → the bytes, as a file to be saved
 * GET /lineage?namespace=&digest= or &run=&task=&output= → Lineage
 * GET /compare?run=NAMESPACE/RUN&run=…[&all=1] → Comparison              2 to 8 runs; all: also what does not differ
 * GET /models?namespace= → ModelsAnswer
 * GET /model?namespace=&name= → Model
 * GET /datasets?namespace= → DatasetsAnswer
 * GET /dataset?namespace=&name= → DatasetAnswer
 * GET /schema → JSON Schema (2020-12) of a workflow, for the editor
 * GET /examples → Examples
 * POST /lint Text → LintAnswer
 *
 * POST /submit Submit → Done                     also runs the file's workflow on this machine, where the page is local
 * POST /run/retry Retry → Done                   POST /run/approve Decision → Done
 * POST /run/suspend Which → Done                 POST /run/resume Which → Done
 * POST /run/cancel Which → Done                  POST /run/delete Which → Done           only a run that has ended
 * POST /model/promote Promotion → Done           POST /model/rollback Rollback → Done
 */

export type RunPhase = "Pending" | "Running" | "Suspended" | "Succeeded" | "Failed" | "Cancelled";

export type TaskPhase = "Pending" | "Running" | "Suspended" | "Succeeded" | "Failed" | "Skipped" | "Cancelled";

export type Verb = "submit" | "retry" | "suspend" | "resume" | "approve" | "cancel" | "delete" | "promote";

export type PreviewBody = TablePreview | ImagePreview | HtmlPreview | JsonPreview | TextPreview | DirectoryPreview | BinaryPreview;

export type Point = [number, number | null];

/** What a task left. */
export interface Artifact {
  task: string;
  name: string;
  digest: string;
  size: number;
  /** file, directory or collection. */
  type: string;
  /** Of one that failed: what it left is to be looked at, and is no result. */
  attempt: number | null;
  /** What its preview will probably be, guessed from its name and step: table, image, html, json, text, directory, model, binary; empty: ask. */
  looks: string;
}

/** Artifacts, a page of them. */
export interface ArtifactsPage {
  rows: Artifact[];
  next: string;
  total: number;
}

/** The answer to a task that waits for approval. */
export interface Decision {
  namespace: string;
  run: string;
  task: string;
  approved: boolean;
  comment?: string;
  inputs?: Record<string, unknown>;
}

/** Have an alias mean a model: `version`, or what the `task` of a `run` left as its `output`. */
export interface Promotion {
  namespace: string;
  name: string;
  alias?: string;
  /** A number, an alias or a digest; empty: `run` and `task` say it. */
  version?: string;
  run?: string;
  task?: string;
  output?: string;
  /** What the alias has to mean before: a version's number, or `none`; empty: whatever. */
  expect?: string;
  message?: string;
}

/** Run again what failed, has changed or is named, and what depends on it. */
export interface Retry {
  namespace: string;
  run: string;
  steps?: string[];
  /** To go on with instead. */
  params?: Record<string, unknown>;
}

/** Have an alias mean what it meant before. */
export interface Rollback {
  namespace: string;
  name: string;
  alias?: string;
  message?: string;
}

/** A new run. */
export interface Submit {
  text: string;
  namespace?: string;
  /** Instead of those of the file. */
  params?: Record<string, unknown>;
  /** Every step runs, whatever has been done before. */
  noCache?: boolean;
}

/** A run. */
export interface Which {
  namespace: string;
  run: string;
}

/** It was done. */
export interface Done {
  /** One sentence, to be shown. */
  message: string;
  namespace: string;
  /** The run that it is about now: a new one, or the same. */
  run: string;
}

/** What is wrong with a workflow, or will surprise. */
export interface Finding {
  /** From 1. */
  line: number;
  /** The field: `spec.steps[1].train.estimator`. */
  path: string;
  message: string;
  severity: "error" | "warning";
}

/** There is nothing to say. */
export interface Nothing {
}

/** Why something was not done. */
export interface Problem {
  /** As of HTTP: 400 bad request, 401 sign in, 403 not allowed, 404 not there (any more), 409 not now, 422 not sound, 502 the cluster does not answer. */
  status: number;
  /** What is wrong, one sentence. */
  message: string;
  /** What to do; may be empty. */
  hint: string;
  /** Of a workflow that is not sound: where. */
  findings: Finding[];
}

/** One thing in all runs. */
export interface CompareRow {
  /** What it is. */
  kind: "phase" | "param" | "spec" | "step" | "input" | "image" | "code" | "output" | "metric";
  /** `train.max_depth`, a path in the spec, `evaluate.accuracy`. */
  where: string;
  /** Of each run, null where it has none. */
  values: unknown[];
  differs: boolean;
}

/** A metric on the way, in all runs. */
export interface CompareSeries {
  task: string;
  name: string;
  /** 200 points of each run at most; null where it has none. */
  runs: (Point[] | null)[];
}

/** Runs beside each other. */
export interface Comparison {
  runs: RunRow[];
  /** 2,000 at most, those that differ first in each kind. */
  rows: CompareRow[];
  series: CompareSeries[];
  /** Rows beyond them. */
  leftOut: number;
}

/** The versions of one dataset, the newest first. */
export interface DatasetAnswer {
  versions: DatasetVersion[];
}

/** The newest version of each dataset of a namespace. */
export interface DatasetsAnswer {
  datasets: DatasetVersion[];
}

/** A version of a dataset. */
export interface DatasetVersion {
  name: string;
  /** Which version: `NAME@sha256:…`. */
  digest: string;
  size: number;
  type: string;
  /** Where it came from. */
  source: string;
  added: number | null;
}

/** A workflow to begin with. */
export interface Example {
  name: string;
  title: string;
  text: string;
}

/** Workflows to begin with. */
export interface Examples {
  examples: Example[];
}

/** What can be said of it before it runs. */
export interface LintAnswer {
  findings: Finding[];
  /** No errors: it can be submitted. */
  isSound: boolean;
  /** Their names; one is submitted, more are refused. */
  workflows: string[];
  /** Of the first workflow, with what they are without being set. */
  params: Record<string, unknown>;
  /** Of the first workflow, if it is sound. */
  graph: Graph | null;
}

/** A YAML file as it is edited. */
export interface Text {
  text: string;
}

/** What a node waits for. */
export interface Edge {
  /** A node's id. */
  source: string;
  /** A node's id. */
  target: string;
  /** data: artifacts; value: expressions; order: `after`. */
  kind: "data" | "value" | "order";
  /** What goes along: names of the source's outputs; of `value` those of its output parameters. */
  artifacts: string[];
}

/** The steps and what they wait for. */
export interface Graph {
  /** Topologically ordered; a parent comes before what is in it. */
  nodes: Node[];
  edges: Edge[];
  /** Steps beyond the first 5,000 nodes, which are not drawn. */
  leftOut: number;
}

/** A step at its place: what never changes of it while the spec stays the same. */
export interface Node {
  /** Its place: `train`, `folds.prep`. */
  id: string;
  /** The step's name. */
  name: string;
  /** The node that it is inside of: a group, or a search whose trials are groups. Empty: none. */
  parent: string;
  /** train, tune, container, steps, … */
  kind: string;
  /** fan: forEach; search: tune; fold: `stands` alike steps of a large workflow that are shown as one. */
  role: "step" | "fan" | "search" | "group" | "approval" | "fold";
  /** How many steps of the spec it stands for; 1, but for a fold. */
  stands: number;
  /** Others have it as their parent. */
  hasInner: boolean;
  /** When it runs: empty, or for the end of the workflow: always, succeeded, failed. */
  at: string;
  /** Its condition, as written. */
  when: string;
}

/** How a node stands. */
export interface NodeState {
  id: string;
  phase: TaskPhase;
  /** One word: OOMKilled, GateFailed, … */
  reason: string;
  /** At most 300 characters; the whole is in TaskAnswer. */
  message: string;
  started: number | null;
  finished: number | null;
  attempts: number;
  cached: boolean;
  /** It waits for a person's decision (or something at its place does). */
  waits: boolean;
  /** Of a node that stands for many tasks: how many are in each phase. Empty for a single task. */
  counts: Record<string, number>;
  /** Of those: how many there are to be, as far as is known. */
  known: number;
}

/** From one to the other: ids of steps or digests of artifacts, in the direction of the data. */
export interface Arrow {
  source: string;
  target: string;
  /** part: a task that the other is made of; cached: whose result it took. */
  kind: "made" | "used" | "part" | "cached";
  /** Of the output or the input. */
  name: string;
}

/** Where an artifact comes from, and what was made with it. */
export interface Lineage {
  digest: string;
  artifacts: LineageArtifact[];
  steps: LineageStep[];
  arrows: Arrow[];
  /** Steps beyond the 500 nearest. */
  leftOut: number;
}

/** An artifact in a lineage. */
export interface LineageArtifact {
  digest: string;
  /** `train.model`, as far as a step has named it. */
  name: string;
  size: number | null;
  type: string;
  /** No step made it: it came from elsewhere. */
  isOutside: boolean;
}

/** An attempt in a lineage. */
export interface LineageStep {
  /** `<uid>/<task>/<attempt>`. */
  id: string;
  run: string;
  uid: string;
  task: string;
  attempt: number;
  kind: string;
  image: string;
  code: string;
  params: Record<string, unknown>;
  parameters: Record<string, unknown>;
  metrics: Record<string, number>;
  cachedFrom: string;
}

/** The attempt that left a version. */
export interface Made {
  /** The workflow's name, or the run's id where it is known. */
  run: string;
  uid: string;
  task: string;
  attempt: number;
}

/** A model: its versions and the moves of its aliases, the newest first. */
export interface Model {
  name: string;
  aliases: Record<string, number>;
  versions: ModelVersion[];
  moves: ModelMove[];
}

/** An alias that was moved. */
export interface ModelMove {
  number: number;
  alias: string;
  version: number;
  /** What it meant before; 0: nothing. */
  previous: number;
  by: string;
  at: number | null;
  message: string;
  isRollback: boolean;
}

/** A model in the list. */
export interface ModelRow {
  name: string;
  /** alias → version. */
  aliases: Record<string, number>;
  versions: number;
  newest: ModelVersion | null;
  /** What the alias `champion` means; null: nothing. */
  champion: ModelVersion | null;
}

/** All models of a namespace. */
export interface ModelsAnswer {
  models: ModelRow[];
}

/** A version of a model. */
export interface ModelVersion {
  number: number;
  digest: string;
  size: number;
  type: string;
  added: number | null;
  by: string;
  made: Made | null;
  metrics: Record<string, number>;
  aliases: string[];
}

/** A container of a Pod. */
export interface Container {
  name: string;
  image: string;
  /** waiting, running or terminated. */
  state: string;
  reason: string;
  exitCode: number | null;
  restarts: number;
  /** What it is promised, as written: `cpu`, `memory`, … */
  requests: Record<string, string>;
  /** What it may not exceed, as written. */
  limits: Record<string, string>;
}

/** What Kubernetes tells of a workflow. */
export interface EventsAnswer {
  /** The newest first; none locally. */
  events: KubeEvent[];
}

/** An event that Kubernetes tells of a Pod or of the workflow. */
export interface KubeEvent {
  /** Normal or Warning. */
  type: string;
  reason: string;
  message: string;
  /** Who says so: kubelet, scheduler, … */
  source: string;
  count: number;
  first: number | null;
  last: number | null;
}

/** The Pod of an attempt. */
export interface Pod {
  name: string;
  /** As Kubernetes says; `Gone`: it is deleted. */
  phase: string;
  node: string;
  containers: Container[];
  events: KubeEvent[];
  /** Why it, or its events, cannot be read. */
  problem: string;
}

/** Nothing to be shown but its beginning. */
export interface BinaryPreview {
  kind: "binary";
  /** The first 256 bytes, as hex digits. */
  head: string;
  /** Why there is no preview, one sentence: too large, not readable, not known. */
  why: string;
  mediaType: string;
}

/** What is in a directory or a collection; a member's preview is had with `path`. */
export interface DirectoryPreview {
  kind: "directory";
  /** All levels, sorted by path, from `offset` on. */
  entries: Entry[];
  offset: number;
  total: number;
}

/** A member of a directory or a collection. */
export interface Entry {
  /** Relative, with slashes; for the parameter `path`. */
  path: string;
  type: "file" | "directory" | "link";
  size: number;
  /** Of a link. */
  target: string;
}

/** HTML or SVG: not ours, for an <iframe sandbox="allow-scripts" src=url> only. */
export interface HtmlPreview {
  kind: "html";
  /** Of another origin, signed, good for some minutes: ask again for another. */
  url: string;
  expires: number;
}

/** PNG, JPEG, GIF, WebP: safe in an <img>. */
export interface ImagePreview {
  kind: "image";
  /** Same origin. */
  url: string;
  mediaType: string;
}

/** A JSON document of up to 2 MiB. */
export interface JsonPreview {
  kind: "json";
  value: unknown;
}

/** An artifact, or a member of one, to be looked at. */
export interface Preview {
  digest: string;
  name: string;
  path: string;
  size: number;
  /** The address to save it from. */
  download: string;
  body: PreviewBody;
}

/** Of a column. Those that do not apply are null. */
export interface Stats {
  nulls: number;
  /** At most 10,000 are counted, then null. */
  distinct: number | null;
  min: unknown;
  max: unknown;
  mean: number | null;
  std: number | null;
  /** Counts in 20 bins of equal width from min to max; empty where it is no number. */
  histogram: number[];
  /** The 10 most frequent values of a column that is no number: [value, count]. */
  top: ([unknown, number])[];
}

/** A column of a table. */
export interface TableColumn {
  name: string;
  /** int64, double, string, dictionary, … */
  type: string;
  stats: Stats;
}

/** Rows of a table (Parquet, CSV, Arrow). */
export interface TablePreview {
  kind: "table";
  columns: TableColumn[];
  /** From `offset` on; numbers, strings, booleans, null; anything else as text. */
  rows: unknown[][];
  offset: number;
  /** Rows of the table; statistics are of `looked_at` of them. */
  total: number;
  lookedAt: number;
  /** Columns beyond the first 200. */
  leftOut: number;
  /** parquet, csv, arrow. */
  format: string;
}

/** Lines of a text. */
export interface TextPreview {
  kind: "text";
  /** From line `offset` on. */
  text: string;
  offset: number;
  /** Lines in `text`. */
  lines: number;
  hasMore: boolean;
  /** yaml, markdown, csv, python, … or empty. */
  language: string;
}

/** One run. */
export interface RunAnswer {
  row: RunRow;
  state: RunState;
  graph: Graph;
  params: Record<string, unknown>;
  /** As it is in the resource. */
  spec: unknown;
  /** The workflow as YAML, without status and what the server added: to be read, copied, submitted again. Empty for one of more than 500 steps: GET /run/yaml. */
  yaml: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Why the spec is not sound, or the graph cannot be drawn. */
  problems: Problem[];
  /** What has failed itself, 20 at most, the first first. */
  failures: TaskRow[];
}

/** A run in the list. */
export interface RunRow {
  namespace: string;
  /** What it is called: `digits`, locally `digits.2`. */
  id: string;
  uid: string;
  phase: RunPhase;
  /** Finished steps / all steps. */
  progress: string;
  /** The first cause of a failure; or what it waits for. At most 300 characters. */
  message: string;
  created: number | null;
  started: number | null;
  finished: number | null;
  /** How many steps wait for a person's decision. */
  waiting: number;
  /** The workflow's own parameters; long ones are cut short. */
  params: Record<string, unknown>;
  /** It was deleted: what is kept of it can be looked at. */
  isArchived: boolean;
}

/** Runs, a page of them. */
export interface RunsPage {
  rows: RunRow[];
  /** The cursor of the next page; empty: there is none. */
  next: string;
  /** Runs that fit the namespace, the phase and the text. */
  total: number;
  /** Runs by phase that fit the namespace and the text, whatever phase is asked for. */
  phases: Record<string, number>;
  /** Namespaces that have runs, of those that can be read. */
  namespaces: string[];
  /** The index is not complete yet. */
  isLoading: boolean;
  /** Why some of it cannot be seen: no rights in a namespace, no answer. */
  problems: Problem[];
}

/** What changes of a run. As an event `nodes` are those only that changed. */
export interface RunState {
  phase: RunPhase;
  progress: string;
  message: string;
  started: number | null;
  finished: number | null;
  /** Changes when the spec does: get RunAnswer again. */
  generation: number;
  nodes: NodeState[];
  /** Tasks that wait for a decision, 20 at most. */
  waiting: string[];
  /** What makes sense to ask of it now, and the user has the right to. */
  may: Verb[];
  /** Counts changes of the tasks: pages of tasks that are shown may be got again when it grows. */
  revision: number;
}

/** What the user may do in a namespace. */
export interface Rights {
  namespace: string;
  /** Buttons for anything else need not be shown. */
  may: Verb[];
  /** Why not all of it, one sentence; empty where nothing is missing. */
  why: string;
}

/** Who looks at what. */
export interface Session {
  /** local: a folder of this machine; cluster: with the user's kubeconfig; team: signed in to a server in the cluster. */
  mode: "local" | "cluster" | "team";
  /** The name that decisions are signed with. */
  user: string;
  /** What is looked at: the folder, or the cluster's address. */
  place: string;
  /** Where a new workflow goes unless it says so itself. */
  namespace: string;
  /** Those that the user can choose from, as far as is known. */
  namespaces: string[];
  /** In `namespace`; for others ask /rights. */
  rights: Rights;
  /** What POSTs carry in the header X-Mlwf-Csrf. */
  csrf: string;
  /** Of the server. */
  version: string;
  /** Where previews of HTML come from: the one origin that frames may have. Empty: this one, sandboxed. */
  contentOrigin: string;
}

/** How to sign in. */
export interface SignIn {
  /** False where there is a session already, or none is needed. */
  isNeeded: boolean;
  ways: ("token" | "oidc" | "link")[];
  /** What the way `oidc` is called on its button. */
  provider: string;
  /** How to get a token, or the link: a sentence or a command. */
  hint: string;
}

/** The next piece of a log. */
export interface LogPiece {
  text: string;
  /** What was shown before is to be dropped: another attempt, or the beginning. */
  isReset: boolean;
}

/** Metrics of an attempt. */
export interface Metrics {
  attempt: number;
  series: Series[];
  /** The attempt has ended: nothing more comes. */
  isFinal: boolean;
}

/** The values of a metric on the way. */
export interface Series {
  name: string;
  /** [step, value]; at most 2,000, evenly chosen, the last among them; a value is null where it was not a finite number. */
  points: Point[];
  /** Values that were sent. */
  total: number;
}

/** A parameter of a search. */
export interface Dimension {
  name: string;
  /** fixed: the same in every trial. */
  kind: "float" | "int" | "choice" | "fixed";
  low: number | null;
  high: number | null;
  log: boolean;
  choices: unknown[];
}

/** A metric that a search is after. */
export interface Objective {
  name: string;
  goal: "maximize" | "minimize";
}

/** A search. Trials are columns of the same length, by number. */
export interface Study {
  task: string;
  /** grid, random, tpe, … */
  algorithm: string;
  /** Empty: none. */
  pruner: string;
  objectives: Objective[];
  space: Dimension[];
  maxTrials: number | null;
  number: number[];
  /** The task of each trial. */
  tasks: string[];
  phase: TaskPhase[];
  /** Pruned, … or empty. */
  reason: string[];
  /** Of those that failed, 300 characters at most; else empty. */
  message: string[];
  started: (number | null)[];
  finished: (number | null)[];
  cached: boolean[];
  /** By parameter; null where a trial does not have it. */
  params: Record<string, unknown[]>;
  /** By objective; null where a trial has not left it. */
  values: Record<string, unknown[]>;
  /** By objective, then by a trial's number: [step, value] on the way, 200 at most; of a search with several objectives those of the newest 100 trials. */
  curves: Record<string, Record<string, Point[]>>;
  /** No other trial beats it in every objective. */
  isPareto: boolean[];
  /** The number of the trial that is best in the first objective. */
  best: number | null;
  /** By objective: what share each parameter has in it, sum 1; null: not known (the search's report has to have run). */
  importances: Record<string, Record<string, number>> | null;
  /** Why it ended before `max_trials`; empty: it did not. */
  ended: string;
  /** Trials whose parameters are not known here (yet). */
  unlisted: number;
}

/** A decision that a task waits for. */
export interface Approval {
  message: string;
  questions: Question[];
}

/** An artifact as an input or output of a task. */
export interface ArtifactLink {
  name: string;
  /** `sha256:…`; empty: not there (yet). */
  digest: string;
  size: number | null;
  /** file, directory or collection; empty: not known. */
  type: string;
  /** Of an input: the outputs it is taken from, `prep.train`. */
  sources: string[];
  /** Of an output: how long after its step it is removed; empty: kept as the run is. */
  keep: string;
}

/** What a person is asked for. */
export interface Question {
  name: string;
  type: "string" | "number" | "integer" | "boolean" | "json";
  description: string;
  default: unknown;
  /** Else it has to be given. */
  hasDefault: boolean;
  /** The only values that are taken; empty: any. */
  enum: unknown[];
}

/** One attempt of a task, and the task. */
export interface TaskAnswer {
  row: TaskRow;
  /** The whole of it, with the last lines of the log of what failed. */
  message: string;
  /** Which attempt this is of; -1: none has started. */
  attempt: number;
  /** Those there are, from 0. */
  attempts: number[];
  kind: string;
  /** What it ran with; before that what the spec says, with its expressions. */
  params: Record<string, unknown>;
  /** The step as written. */
  spec: unknown;
  inputs: ArtifactLink[];
  outputs: ArtifactLink[];
  /** Output parameters. */
  parameters: Record<string, unknown>;
  /** The last value of each. */
  metrics: Record<string, number>;
  /** Metrics that /run/metrics has more than one value of. */
  series: string[];
  /** The log as an artifact, once it is kept. */
  logs: ArtifactLink | null;
  exitCode: number | null;
  image: string;
  imageDigest: string;
  /** A mark of the code and libraries that it ran with. */
  code: string;
  /** Of this attempt. */
  started: number | null;
  finished: number | null;
  /** `<uid>/<task>/<attempt>` whose result it took; empty: it ran. */
  cachedFrom: string;
  /** What that run is called, where it is known. */
  cachedRun: string;
  /** Why no earlier result was taken; empty: none was looked for. */
  missed: string;
  /** Tasks that have to end before it can start. */
  waitsFor: string[];
  approval: Approval | null;
  /** What was decided: approved, by, comment, inputs; null: nothing yet. */
  decision: unknown;
  /** null locally, and for what has none. */
  pod: Pod | null;
  /** An output to be shown as a page, if there is one (`report`). */
  report: ArtifactLink | null;
}

/** A task in a list. */
export interface TaskRow {
  task: string;
  node: string;
  phase: TaskPhase;
  reason: string;
  /** At most 300 characters. */
  message: string;
  attempts: number;
  started: number | null;
  finished: number | null;
  cached: boolean;
  /** It runs nothing itself: `below` has its parts. */
  isComposed: boolean;
  /** Of what is made of others: ended / known. */
  progress: string;
  /** Of a trial: its parameters. */
  params: Record<string, unknown>;
  /** Of a trial: the number that decides. */
  value: number | null;
}

/** Tasks, a page of them, in the order of the workflow. */
export interface TasksPage {
  rows: TaskRow[];
  next: string;
  /** Tasks that fit. */
  total: number;
  /** By phase, whatever phase is asked for. */
  phases: Record<string, number>;
  /** Tasks that have succeeded and that the status does not list any more: counted in `total` and `phases`, not among the rows. */
  unlisted: number;
}

/** Every task that has started, as columns of the same length, by start. */
export interface Timeline {
  tasks: string[];
  /** Indices into `node_names`. */
  nodes: number[];
  nodeNames: string[];
  /** Indices into `phase_names`. */
  phases: number[];
  phaseNames: string[];
  /** Milliseconds after `zero`. */
  started: number[];
  /** Milliseconds after `zero`; null: it runs. */
  finished: (number | null)[];
  /** 1 or 0. */
  cached: number[];
  /** The start of the run. */
  zero: number;
  /** The server's clock. */
  now: number;
}

"""Which key holds what; pure.

    <namespace>/cas/sha256/<2 hex>/<62 hex>            an artifact's bytes, named by their digest
    <namespace>/runs/<workflow uid>/<task>/<attempt>.json       the record of one attempt
    <namespace>/runs/<workflow uid>/<task>/<attempt>.log.json   where the log of an attempt is that was stopped before it could commit
    <namespace>/runs/<workflow uid>/<task>/<attempt>.left.json  which artifacts such an attempt left to be looked at
    <namespace>/runs/<workflow uid>/<task>/<attempt>.series.json    what an attempt has said of its metrics on the way
    <namespace>/runs/<workflow uid>/<task>/<attempt>.<artifact>.sig.json   the signature of a model that an attempt left
    <namespace>/runs/<workflow uid>/<task>/checkpoint.json      where the last checkpoint of a task is
    <namespace>/runs/<workflow uid>/<task>/trial.json           the parameters that were chosen for a trial, and at once with it for those after it
    <namespace>/runs/<workflow uid>/<task>/prior.json           what a search was told of another one before it began
    <namespace>/cache/results/<64 hex>.json            a result, named by the digest of the facts that it follows from
    <namespace>/cache/steps/<workflow>/<task>/last.json         the facts of the last result of a workflow's task
    <namespace>/cache/code/<64 hex>.json               what code an image carries, named by the digest of the image
    <namespace>/runs/<workflow uid>/gone.json                   since when the workflow is gone (the object's time says it)
    <namespace>/datasets/<name>/<64 hex>.json           a version of a named dataset, named by the digest of its artifact
    <namespace>/uploads/<2 hex>/<62 hex>/<64 hex>.json  an upload in parts that is under way: of which artifact, and of which parts
    <namespace>/models/<name>/moves/<number, 6 digits>.json     a move of an alias of a model: together they are its versions and aliases
    <namespace>/runs/<workflow uid>/provenance.json             the signed statement of how the run came to its artifacts
    <namespace>/runs/<workflow uid>/workflow.json               the run that has ended as its resource told it: spec and last status
    <namespace>/archive/<run>/<end, in ms>/<workflow uid>/<phase>.json   a line of the list of such runs; the key says all of it

In a key the ``.`` between a task's segments is written ``/_``: ``fold/1.prep`` is ``fold/1/_prep``, and so it is in the name of a run. So no folder has a dot in its
name and every object has one: nothing is ever both an object and a folder, and a key is read back in one way only.

Every part is checked here, so no text from outside can reach another namespace: a key that this module returns has no
``..``, no empty segment and none but the segments above. All functions raise `InvalidKey`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mlworkflow.store.errors import InvalidKey

LONGEST_TASK = 512
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_UID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]{0,62}")
_SEGMENT = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(~[1-9][0-9]{0,3})?(/(0|[1-9][0-9]{0,8}))*"
_TASK = re.compile(rf"(?=.{{1,{LONGEST_TASK}}}\Z){_SEGMENT}(\.{_SEGMENT})*")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_CAS_KEY = re.compile(r"[^/]+/cas/sha256/([0-9a-f]{2})/([0-9a-f]{62})")
_ATTEMPT = r"(?P<attempt>0|[1-9][0-9]{0,8})"
_ARTIFACT = r"[A-Za-z_][-A-Za-z0-9_]*"
_RUN_KEY = re.compile(
    rf"(?P<namespace>[^/]+)/runs/(?P<uid>[^/]+)/(?P<task>[^.]+)/"
    rf"({_ATTEMPT}((?P<beside>\.log|\.left)|\.(?P<artifact>{_ARTIFACT})\.sig)?|(?P<of_task>checkpoint|trial|prior))\.json"
)

_RUN = re.compile(r"(?=.{1,80}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PHASE = re.compile(r"[A-Z][a-z]+")
_LINE_KEY = re.compile(
    r"[^/]+/archive/(?P<run>[^.]+)/(?P<ended>0|[1-9][0-9]{0,15})/(?P<uid>[^/.]+)/(?P<phase>[A-Z][a-z]+)\.json"
)
_WORKFLOW_KEY = re.compile(r"[^/]+/runs/[^/]+/workflow\.json")
_UPLOAD_KEY = re.compile(r"(?P<namespace>[^/]+)/uploads/([0-9a-f]{2})/([0-9a-f]{62})/[0-9a-f]{64}\.json")
_MOVE_KEY = re.compile(r"[^/]+/models/[^/]+/moves/([0-9]{6,9})\.json")
_PROVENANCE = re.compile(r"(?P<namespace>[^/]+)/runs/(?P<uid>[^/]+)/provenance\.json")


class AttemptKey(NamedTuple):
    """One attempt of one task of one workflow; `task` is a path as in ``train``, ``tune/3``, ``fold~1/0.inner/2.train``."""

    namespace: str
    uid: str
    task: str
    attempt: int


class LogKey(NamedTuple):
    """The attempt whose log was kept without a record."""

    attempt: AttemptKey


class LeftKey(NamedTuple):
    """The attempt that left artifacts without a record."""

    attempt: AttemptKey


class CheckpointKey(NamedTuple):
    """The task whose checkpoint it is."""

    namespace: str
    uid: str
    task: str


class TrialKey(NamedTuple):
    """The trial whose parameters they are."""

    namespace: str
    uid: str
    task: str


class PriorKey(NamedTuple):
    """The search that it was told to."""

    namespace: str
    uid: str
    task: str


class SignatureKey(NamedTuple):
    """The model, by its attempt and its name, whose signature it is."""

    attempt: AttemptKey
    artifact: str


class ProvenanceKey(NamedTuple):
    """The run whose statement it is."""

    namespace: str
    uid: str


class Line(NamedTuple):
    """A run that has ended: `run` is what it is called (``digits``, locally ``digits.2``), `ended` when, in milliseconds since the epoch."""

    run: str
    ended: int
    uid: str
    phase: str


def cas_key(namespace: str, digest: str) -> str:
    """The key of the artifact with this digest (``sha256:<64 hex>``)."""
    name = _hex(digest)
    return f"{_checked(_NAMESPACE, 'namespace', namespace)}/cas/sha256/{name[:2]}/{name[2:]}"


def record_key(namespace: str, uid: str, task: str, attempt: int) -> str:
    """The key of an attempt's record."""
    return f"{_folder(namespace, uid, task)}{_number(attempt)}.json"


def log_key(namespace: str, uid: str, task: str, attempt: int) -> str:
    """The key of what says where an attempt's log is, if it has no record."""
    return f"{_folder(namespace, uid, task)}{_number(attempt)}.log.json"


def left_key(namespace: str, uid: str, task: str, attempt: int) -> str:
    """The key of what says which artifacts an attempt left, if it has no record."""
    return f"{_folder(namespace, uid, task)}{_number(attempt)}.left.json"


def series_key(namespace: str, uid: str, task: str, attempt: int) -> str:
    """The key of what an attempt has said of its metrics on the way."""
    return f"{_folder(namespace, uid, task)}{_number(attempt)}.series.json"


def checkpoint_key(namespace: str, uid: str, task: str) -> str:
    """The key of what says where a task's last checkpoint is."""
    return f"{_folder(namespace, uid, task)}checkpoint.json"


def trial_key(namespace: str, uid: str, task: str) -> str:
    """The key of the parameters that were chosen for a trial, and at once with it for those after it."""
    return f"{_folder(namespace, uid, task)}trial.json"


def prior_key(namespace: str, uid: str, task: str) -> str:
    """The key of what a search was told of another one."""
    return f"{_folder(namespace, uid, task)}prior.json"


def task_prefix(namespace: str, uid: str, task: str) -> str:
    """What the keys of everything that is kept of a task begin with, and of what it is made of; ends in ``/``."""
    return _folder(namespace, uid, task)


def signature_key(namespace: str, uid: str, task: str, attempt: int, artifact: str) -> str:
    """The key of the signature of a model."""
    name = _checked(re.compile(_ARTIFACT), "name of an artifact", artifact)
    return f"{_folder(namespace, uid, task)}{_number(attempt)}.{name}.sig.json"


def provenance_key(namespace: str, uid: str) -> str:
    """The key of the statement of how a run came to its artifacts."""
    return f"{records_prefix(namespace, uid)}provenance.json"


def records_prefix(namespace: str, uid: str) -> str:
    """What the keys of everything that is kept of one workflow begin with; ends in ``/``."""
    return f"{_checked(_NAMESPACE, 'namespace', namespace)}/runs/{_checked(_UID, 'uid', uid)}/"


def cache_key(namespace: str, facts: str) -> str:
    """The key of the result that follows from facts with this digest."""
    return f"{cache_prefix(namespace)}results/{_hex(facts)}.json"


def cache_step_key(namespace: str, workflow: str, task: str) -> str:
    """The key of the facts of the last result of a workflow's task."""
    folder = _checked(_TASK, "task", task).replace(".", "/_")
    return f"{cache_prefix(namespace)}steps/{_checked(_NAMESPACE, 'workflow', workflow)}/{folder}/last.json"


def cache_code_key(namespace: str, image_digest: str) -> str:
    """The key of what code the image with this digest carries."""
    return f"{cache_prefix(namespace)}code/{_hex(image_digest)}.json"


def dataset_key(namespace: str, name: str, digest: str) -> str:
    """The key of what says what a version of a named dataset is."""
    return f"{dataset_prefix(namespace, name)}{_hex(digest)}.json"


def dataset_prefix(namespace: str, name: str) -> str:
    """What the keys of all versions of a named dataset begin with; ends in ``/``."""
    return f"{datasets_prefix(namespace)}{_checked(_NAMESPACE, 'name of a dataset', name)}/"


def datasets_prefix(namespace: str) -> str:
    """What the keys of all named datasets begin with; ends in ``/``."""
    return f"{_checked(_NAMESPACE, 'namespace', namespace)}/datasets/"


def move_key(namespace: str, name: str, number: int) -> str:
    """The key of a move of a model's aliases, counted from 1."""
    return f"{moves_prefix(namespace, name)}{_number(number):06d}.json"


def moves_prefix(namespace: str, name: str) -> str:
    """What the keys of all moves of a model's aliases begin with; ends in ``/``."""
    return f"{models_prefix(namespace)}{_checked(_NAMESPACE, 'name of a model', name)}/moves/"


def models_prefix(namespace: str) -> str:
    """What the keys of everything that is kept of models begin with; ends in ``/``."""
    return f"{_checked(_NAMESPACE, 'namespace', namespace)}/models/"


def move_number(key: str) -> int | None:
    """The number of the move with this key; None for a key of something else."""
    matched = _MOVE_KEY.fullmatch(key)
    return int(matched[1]) if matched else None


def gone_key(namespace: str, uid: str) -> str:
    """The key of what says since when a workflow is gone whose records are still here."""
    return f"{records_prefix(namespace, uid)}gone.json"


def mirror_key(namespace: str, uid: str) -> str:
    """The key of what says which end of a run another system has been told."""
    return f"{records_prefix(namespace, uid)}mirror.json"


def workflow_key(namespace: str, uid: str) -> str:
    """The key of a run that has ended as its resource told it."""
    return f"{records_prefix(namespace, uid)}workflow.json"


def is_workflow_key(key: str) -> bool:
    """Whether it is one of `workflow_key`."""
    return bool(_WORKFLOW_KEY.fullmatch(key))


def archive_prefix(namespace: str, run: str = "") -> str:
    """What the keys of the list of runs that have ended begin with, or of those that are called `run` or ``<run>.…``; ends in ``/``."""
    folder = f"{_checked(_NAMESPACE, 'namespace', namespace)}/archive/"
    return f"{folder}{_checked(_RUN, 'run', run).replace('.', '/_')}/" if run else folder


def line_key(namespace: str, line: Line) -> str:
    """The key that is a line of the list of runs that have ended."""
    uid, phase = _checked(_UID, "uid", line.uid), _checked(_PHASE, "phase", line.phase)
    return f"{archive_prefix(namespace, line.run)}{line.ended:d}/{uid}/{phase}.json"


def parse_line_key(key: str) -> Line:
    """What a key below `archive_prefix` says."""
    matched = _LINE_KEY.fullmatch(key)
    if not matched:
        raise InvalidKey(f"not a line of the archive: {key[:200]!r}")
    return Line(matched["run"].replace("/_", "."), int(matched["ended"]), matched["uid"], matched["phase"])


def runs_prefix(namespace: str) -> str:
    """What the keys of every record begin with; ends in ``/``."""
    return f"{_checked(_NAMESPACE, 'namespace', namespace)}/runs/"


def cas_prefix(namespace: str) -> str:
    """What the keys of every artifact begin with; ends in ``/``."""
    return f"{_checked(_NAMESPACE, 'namespace', namespace)}/cas/sha256/"


def cache_prefix(namespace: str) -> str:
    """What the keys of everything that the cache remembers begin with; ends in ``/``."""
    return f"{_checked(_NAMESPACE, 'namespace', namespace)}/cache/"


def uploads_prefix(namespace: str) -> str:
    """What the keys of every upload that is under way begin with; ends in ``/``."""
    return f"{_checked(_NAMESPACE, 'namespace', namespace)}/uploads/"


def upload_key(namespace: str, digest: str, parts: str) -> str:
    """The key of what is known of an upload of the artifact with this digest, whose list of parts has the digest `parts`."""
    name = _hex(digest)
    return f"{uploads_prefix(namespace)}{name[:2]}/{name[2:]}/{_hex(parts)}.json"


def cas_key_of_upload(key: str) -> str | None:
    """The key of the artifact that an upload is to become; None for a key of something else."""
    matched = _UPLOAD_KEY.fullmatch(key)
    return cas_key(matched["namespace"], f"sha256:{matched[2]}{matched[3]}") if matched else None


def is_namespace(text: str) -> bool:
    """Whether a namespace can be called so."""
    return bool(_NAMESPACE.fullmatch(text))


def digest_of(key: str) -> str | None:
    """The digest of the artifact with this key; None for a key of something else."""
    matched = _CAS_KEY.fullmatch(key)
    return f"sha256:{matched[1]}{matched[2]}" if matched else None


def parse_run_key(
    key: str,
) -> AttemptKey | LogKey | LeftKey | CheckpointKey | TrialKey | PriorKey | SignatureKey | ProvenanceKey:
    """What a key below `records_prefix` holds: an attempt's record, the place of its log, of what it left or of a task's checkpoint, a trial's
    parameters, what a search was told, a model's signature, or the run's statement."""
    if stated := _PROVENANCE.fullmatch(key):
        return ProvenanceKey(
            _checked(_NAMESPACE, "namespace", stated["namespace"]), _checked(_UID, "uid", stated["uid"])
        )
    matched = _RUN_KEY.fullmatch(key)
    if not matched:
        raise InvalidKey(f"not a key of a run: {key[:200]!r}")
    where = CheckpointKey(
        _checked(_NAMESPACE, "namespace", matched["namespace"]),
        _checked(_UID, "uid", matched["uid"]),
        _checked(_TASK, "task", matched["task"].replace("/_", ".")),
    )
    if matched["attempt"] is None:
        match matched["of_task"]:
            case "trial":
                return TrialKey(*where)
            case "prior":
                return PriorKey(*where)
        return where
    attempt = AttemptKey(*where, int(matched["attempt"]))
    if matched["artifact"]:
        return SignatureKey(attempt, matched["artifact"])
    match matched["beside"]:
        case ".log":
            return LogKey(attempt)
        case ".left":
            return LeftKey(attempt)
    return attempt


def _hex(digest: str) -> str:
    matched = _DIGEST.fullmatch(digest)
    if not matched:
        raise InvalidKey(f"not a digest: {digest[:80]!r}")
    return matched[1]


def _folder(namespace: str, uid: str, task: str) -> str:
    return f"{records_prefix(namespace, uid)}{_checked(_TASK, 'task', task).replace('.', '/_')}/"


def _number(attempt: int) -> int:
    if not 0 <= attempt < 10**9:
        raise InvalidKey(f"not an attempt: {attempt}")
    return attempt


def _checked(pattern: re.Pattern[str], noun: str, text: str) -> str:
    if not pattern.fullmatch(text):
        raise InvalidKey(f"not a {noun}: {text[:80]!r}")
    return text

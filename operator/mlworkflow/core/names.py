"""Every name that others see: group and version, labels, reasons, and the names of Pods.

A Pod's name is a function of (workflow uid, task, attempt) alone, so that creating it twice is a conflict
and never a second Pod.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from functools import lru_cache

GROUP = "mlworkflow.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "MLWorkflow"
PLURAL = "mlworkflows"
FIELD_MANAGER = "mlworkflow"

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_WORKFLOW = f"{GROUP}/workflow"
LABEL_STEP = f"{GROUP}/step"
ANNOTATION_UID = f"{GROUP}/workflow-uid"
ANNOTATION_TASK = f"{GROUP}/task"
ANNOTATION_ATTEMPT = f"{GROUP}/attempt"
ANNOTATION_FAILURES = f"{GROUP}/failures"
ANNOTATION_LOSSES = f"{GROUP}/losses"
ANNOTATION_FINGERPRINT = f"{GROUP}/fingerprint"
ANNOTATION_RIDERS = f"{GROUP}/riders"

STEP_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SECRET_NAME = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"
FIELD_NAME = r"^[A-Za-z_][-A-Za-z0-9_]*$"
RESERVED_OUTPUTS = frozenset({"params", "logs", "metrics", "checkpoint"})
OWN_HEADERS = frozenset({"connection", "content-length", "content-type", "host", "transfer-encoding"})
"""Headers of a webhook that are not a workflow's to set."""
MAX_NAME = 63  # of a label's value


class Reason(StrEnum):
    """Why a workflow or a step is as it is, one CamelCase word each."""

    ALIAS_MOVED = "AliasMoved"
    ARTIFACT_MISSING = "ArtifactMissing"
    BUDGET_SPENT = "BudgetSpent"
    CANCELLED = "Cancelled"
    CHOICE_FAILED = "ChoiceFailed"
    COMMIT_MISSING = "CommitMissing"
    CONDITION_FALSE = "ConditionFalse"
    CREATE_REFUSED = "CreateRefused"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    DEPENDENCY_FAILED = "DependencyFailed"
    DEPENDENCY_SKIPPED = "DependencySkipped"
    ERROR = "Error"
    EXIT_FAILED = "ExitStepFailed"
    EXPRESSION_ERROR = "ExpressionError"
    GOAL_REACHED = "GoalReached"
    INPUT_INVALID = "InputInvalid"
    INVALID_SPEC = "InvalidSpec"
    ITEMS_CHANGED = "ItemsChanged"
    ITEMS_FAILED = "ItemsFailed"
    METRIC_MISSING = "MetricMissing"
    NOT_CONCERNED = "NotConcerned"
    NO_TRIALS = "NoTrials"
    OOM_KILLED = "OOMKilled"
    OUTPUT_INVALID = "OutputInvalid"
    PENDING_TIMEOUT = "PendingTimeout"
    POD_LOST = "PodLost"
    PRUNED = "Pruned"
    REJECTED = "Rejected"
    STEP_FAILED = "StepFailed"
    STORE_UNAVAILABLE = "StoreUnavailable"
    SUCCEEDED = "Succeeded"
    TERMINATED = "Terminated"
    TRIALS_FAILED = "TrialsFailed"


@lru_cache(maxsize=4096)  # asked for with every event of a Pod
def pod_name(workflow: str, uid: str, task: str, attempt: int) -> str:
    """The Pod of an attempt: readable first, a hash of its identity last, at most 63 characters."""
    suffix = hashlib.sha256(f"{uid}/{task}/{attempt}".encode()).hexdigest()[:10]
    readable = re.sub(r"[^a-z0-9]+", "-", f"{workflow}-{task}".lower())[
        : MAX_NAME - len(suffix) - len(str(attempt)) - 2
    ]
    return f"{readable.strip('-')}-{attempt}-{suffix}"

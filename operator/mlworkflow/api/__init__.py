"""The Python interface: workflows written, run and looked at from Python. ``import mlworkflow as mlwf`` has all of it.

It is thin: what it writes is the resource that YAML says too, what checks it is the core, what runs it is the same engine, and runs are read as the command line does.
"""

from __future__ import annotations

from mlworkflow.api import kinds
from mlworkflow.api.artifact import Artifact
from mlworkflow.api.errors import ExtraMissing, NoSuchRun, RunFailed, RunsError, SpecError, UserError
from mlworkflow.api.expressions import Expr, cel, index, item, trial, workflow_facts
from mlworkflow.api.functions import Function, step
from mlworkflow.api.kinds import *  # noqa: F403
from mlworkflow.api.registry import Dataset, ModelVersion, dataset, list_models, model
from mlworkflow.api.run import Run, StepRun, list_runs, run
from mlworkflow.api.sources import Output, Reference, http, optional, s3
from mlworkflow.api.steps import Group, Step, group
from mlworkflow.api.workflow import Workflow, load, load_all, loads, workflow

__all__ = [
    "Artifact",
    "Dataset",
    "Expr",
    "ExtraMissing",
    "Function",
    "Group",
    "ModelVersion",
    "NoSuchRun",
    "Output",
    "Reference",
    "Run",
    "RunFailed",
    "RunsError",
    "SpecError",
    "Step",
    "StepRun",
    "UserError",
    "Workflow",
    "cel",
    "dataset",
    "group",
    "http",
    "index",
    "item",
    "list_models",
    "list_runs",
    "load",
    "load_all",
    "loads",
    "model",
    "optional",
    "run",
    "s3",
    "step",
    "trial",
    "workflow",
    "workflow_facts",
]
__all__ += kinds.__all__

"""Whether a model can be served here: a fresh process loads it and predicts its golden rows, and says of them what was said at training.

"Here" is the image that this runs in. `python -m mlworkflow_steps.models.serving PATH` is that process. Called by the gate of `evaluate`, and by the kind `rehearse`, whose step
brings the serving image.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from mlworkflow_steps.errors import StepFailure, first_line

TOLERANCE = 1e-6
"""Of numbers: another processor, or another build of a library, adds up in another order."""
_SECONDS = 600.0
_LAST_LINE = 300


def problem(model: Path, *, tolerance: float = TOLERANCE, seconds: float = _SECONDS) -> str:
    """What keeps the model at `model` from being served, in one sentence; "" where nothing does."""
    command = [sys.executable, "-m", "mlworkflow_steps.models.serving", str(model), str(tolerance)]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"it was not loaded and had not predicted its golden rows after {seconds:g} seconds"
    try:
        said: str = json.loads(done.stdout.splitlines()[-1])["problem"]
    except (ValueError, LookupError, TypeError):
        words = (done.stderr.strip().splitlines() or [""])[-1][:_LAST_LINE]
        return f"the process that loads it died{_how(done.returncode)}{f': {words}' if words else ''}"
    return said


def _how(code: int) -> str:
    return f" of {signal.Signals(-code).name}" if code < 0 else f" with exit code {code}"


def _problem_here(model: Path, tolerance: float) -> str:
    """The same, in this process."""
    try:
        from mlworkflow_steps.models import golden, loading

        loading.load(model)
        for file in sorted(model.rglob(golden.FILE)):  # of every model that this one is made of
            if found := golden.differences(file, loading.load(file.parent), tolerance=tolerance):
                return f"it says something else than at training: {found[0]}"
    except StepFailure as failure:
        return failure.message
    except Exception as error:
        return first_line(error)
    return ""


if __name__ == "__main__":
    print(json.dumps({"problem": _problem_here(Path(sys.argv[1]), float(sys.argv[2]))}))

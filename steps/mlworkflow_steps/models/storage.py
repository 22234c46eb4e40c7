"""A fitted object as a file, and back, without pickle: skops, in canonical form on the way out, through `trust` on the way in.

Every file that a bundle is loaded from goes through here, so this is where nobody's code is run. Called by `bundle` and by whoever
keeps a fitted preprocessor. skops imports every estimator that there is, so it is imported when a file is at hand, not before a step begins.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from mlworkflow_steps.context import allowed_imports
from mlworkflow_steps.errors import StepFailure, first_line
from mlworkflow_steps.models.canonical import SCHEMA, canonical, nodes
from mlworkflow_steps.models.trust import refuse_calls, trusted_types


def dumps(fitted: Any) -> bytes:
    """The same bytes for the same object. Raises StepFailure (ModelInvalid) where skops cannot store it."""
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    try:
        return canonical(skops.io.dumps(fitted))
    except (UnsupportedTypeException, TypeError) as error:
        raise StepFailure(
            "ModelInvalid", f"the fitted model cannot be stored without pickle: {first_line(error)}"
        ) from error


def load(file: Path) -> Any:
    """The object. Raises StepFailure: ModelInvalid where the file is damaged, is no skops file or names a type that is not trusted, LibraryMissing
    where one of its types is in a library that is not installed here.
    """
    import skops.io

    try:
        data = file.read_bytes()  # once: what has been looked at is what is loaded
        if not zipfile.is_zipfile(io.BytesIO(data)):
            raise StepFailure("ModelInvalid", f"'{file.name}' is no skops file; nothing else is loaded, pickles least")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            refuse_calls(nodes(json.loads(archive.read(SCHEMA))))
        trusted = trusted_types(skops.io.get_untrusted_types(data=data), allowed_imports(os.environ))
        return skops.io.loads(data, trusted=trusted)
    except ImportError as error:
        raise library_missing(error) from error
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, zipfile.BadZipFile) as error:  # fmt: skip
        raise StepFailure("ModelInvalid", f"'{file.name}' cannot be loaded: {first_line(error)}") from error


def library_missing(error: ImportError) -> StepFailure:
    """What to say of a library that a model needs and this environment has not."""
    return StepFailure(
        "LibraryMissing", f"{first_line(error)}: the model needs what its requirements.txt names, in this image"
    )

"""`rehearse`: can a model be served in this image?"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from mlworkflow.core.kinds._kind import Kind, built_in
from mlworkflow.core.values import Fields, Number


class Rehearse(Fields, frozen=True):
    """Loads the input `model` in a fresh process and predicts the rows that it keeps from its training. Give the step the image that is to serve it: `image: registry/serving:1.4`,
    any image with `pip install mlworkflow` and the libraries of its own.

    The step fails with reason `CannotServe` (unless `level` is `warn`) where the model cannot be loaded, needs a library that the image has not, or says something else than at training. Leaves `verdict` (JSON).
    """

    level: Annotated[
        Literal["block", "warn"],
        Meta(
            description="`block`: a model that cannot be served fails the step. `warn`: the verdict says so, and the step succeeds."
        ),
    ] = "block"
    tolerance: Annotated[
        Number | UnsetType,
        Meta(
            description="How far a number may be from that of the training, relatively: another processor adds up in another order. Classes must be the same. Default: 1e-6."
        ),
    ] = UNSET


_EXAMPLE = """\
name: rehearse
inputs: {model: {from: train.model}}
image: registry.example.org/serving:1.4
rehearse: {}
"""

KIND = Kind(
    name="rehearse",
    order=42,
    summary="whether a model can be served in an image",
    body=Rehearse,
    command=built_in("rehearse"),
    inputs=("model",),
    outputs={"verdict": "file", "passed": "boolean"},
    example=_EXAMPLE,
)

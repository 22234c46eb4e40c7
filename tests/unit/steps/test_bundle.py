"""The model bundle: one call loads it anywhere, it says the same as at training, its bytes are the same every time, and nobody's code is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import mlworkflow_steps
import numpy as np
import pandas as pd
import pytest
import skops.io
from mlworkflow_steps.data.table import FEATURES, read_table
from mlworkflow_steps.errors import StepFailure

from tests.unit.steps.conftest import STEPS


@pytest.fixture
def bundle(forest: Any, tmp_path: Path) -> Path:
    """A copy of the digits model, to be spoilt."""
    return Path(shutil.copytree(forest.output("model"), tmp_path / "model"))


# ── loading, and what is said then ─────────────────────────────────────────────────────────────────────────────────────


def test_a_fresh_process_says_byte_for_byte_what_was_said_at_training(forest: Any) -> None:
    script = (
        "import sys, mlworkflow_steps, pyarrow.parquet as pq\n"
        "golden = pq.read_table(sys.argv[1] + '/golden.parquet').to_pandas()\n"
        "model = mlworkflow_steps.load(sys.argv[1])\n"
        "found = model.predict_proba(golden)\n"
        "assert (model.predict(golden) == golden['mlworkflow.prediction']).all()\n"
        "assert found.tobytes() == golden[[f'mlworkflow.probability.{n}' for n in range(10)]].to_numpy().copy(order='C').tobytes()\n"
        "print(len(golden))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(forest.output("model"))],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(STEPS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "20"), done.stderr


def test_the_golden_rows_are_the_first_of_the_training_table(forest: Any, digits: Any) -> None:
    golden = pd.read_parquet(forest.output("model") / "golden.parquet")
    train = pd.read_parquet(digits.output("train")).drop(columns="target")
    assert golden[train.columns].equals(train.head(20))


def test_another_models_golden_rows_are_told_apart(bundle: Path, run_step: Any, digits: Any) -> None:
    from mlworkflow_steps.models import golden

    other = run_step("train", {"estimator": "sklearn.naive_bayes.GaussianNB"}, {"train": digits.output("train")})
    assert other.code == 0, other.log
    model = mlworkflow_steps.load(bundle)
    assert golden.differences(bundle / "golden.parquet", model) == []
    found = golden.differences(other.output("model") / "golden.parquet", model)
    assert found
    assert "instead of" in found[0]
    assert golden.differences(other.output("model") / "golden.parquet", model, tolerance=2.0) != found


def test_a_model_that_does_not_say_the_same_again_is_no_artifact(digits: Any, tmp_path: Path) -> None:
    from mlworkflow_steps.models import bundle
    from sklearn.dummy import DummyClassifier

    table = read_table(digits.output("train"))
    features, target = table.frame.drop(columns="target"), table.frame["target"].to_numpy()
    by_chance = DummyClassifier(strategy="uniform").fit(features, target)
    with pytest.raises(StepFailure, match="predicts something else than the fitted one: prediction of row ") as caught:
        bundle.write(tmp_path / "model", by_chance, _facts(features, target), features)
    assert caught.value.reason == "ModelInvalid"


def _facts(features: pd.DataFrame, target: Any, digest: str = "", schema: Any = None) -> Any:
    from mlworkflow_steps.models.bundle import raw_schema
    from mlworkflow_steps.models.manifest import Manifest, versions

    frame = features.assign(target=target)
    return Manifest(
        task="classification",
        target="target",
        classes=sorted(set(target.tolist())),
        schema=schema or raw_schema(frame, "target").as_json(),
        features=list(features),
        estimator="an estimator",
        spec="sklearn.x",
        params={},
        seed=0,
        metrics={},
        baseline={},
        inputs={},
        rows=len(features),
        versions=versions(),
        features_digest=digest,
    )


@pytest.mark.parametrize(
    ("spoil", "reason", "words"),
    [
        (lambda path: (path / "bundle.json").unlink(), "ModelInvalid", "is no model: it has no bundle.json"),
        (lambda path: (path / "bundle.json").write_text("{"), "ModelInvalid", "'model' is no model bundle: JSONDecodeError"),
        (lambda path: (path / "bundle.json").write_text('{"format": 9}'), "ModelInvalid", "format 9; this version reads format 1"),
        (lambda path: (path / "model.skops").write_bytes(b""), "ModelInvalid", "'model.skops' is no skops file"),
        (lambda path: (path / "model.skops").write_bytes((path / "model.skops").read_bytes()[:-99]), "ModelInvalid", "is no skops file"),
        (lambda path: rename(path / "model.skops", "sklearn.tree._tree", "catboost.core"), "LibraryMissing", "ModuleNotFoundError: No module named 'catboost'"),
    ],
)  # fmt: skip
def test_what_is_no_bundle_says_what_is_wrong(
    spoil: Any, reason: str, words: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLWF_ALLOWED_IMPORTS", "sklearn.,catboost.")
    spoil(bundle)
    with pytest.raises(StepFailure) as caught:
        mlworkflow_steps.load(bundle)
    assert (caught.value.reason, words in caught.value.message) == (reason, True), caught.value.message


def rename(file: Path, module: str, other: str) -> None:
    """A model that is of a library which is not here."""
    with zipfile.ZipFile(file) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["schema.json"] = files["schema.json"].replace(f'"{module}"'.encode(), f'"{other}"'.encode())
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


# ── features ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def scaled(
    run_step: Any, digits: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, pd.DataFrame, pd.DataFrame]:
    """A model on scaled features, with the preprocessor that made them: the bundle, the raw rows, the features."""
    from mlworkflow_steps.models import bundle
    from mlworkflow_steps.models.bundle import raw_schema
    from mlworkflow_steps.models.preprocessor import Preprocessor
    from sklearn.linear_model import RidgeClassifier

    folder = tmp_path_factory.mktemp("scaled")
    frame = read_table(digits.output("train")).frame
    raw, target = frame.drop(columns="target"), frame["target"].to_numpy()
    spec = {
        "source": {"sklearn": "digits"},
        "target": "target",
        "features": [{"columns": ["pixel_*"], "scale": "standard"}],
    }
    prepared = run_step("prep", spec).output("preprocessor")
    prepared.chmod(0o700)
    preprocessor = Preprocessor.read(prepared)
    features = preprocessor.transform(raw)
    schema = raw_schema(features.assign(target=target), "target", preprocessor)
    manifest = _facts(features, target, preprocessor.digest, schema.as_json())
    bundle.write(folder / "model", RidgeClassifier().fit(features, target), manifest, features, preprocessor)
    return folder / "model", raw, features


def test_raw_rows_pass_the_bundles_preprocessor_and_its_own_features_do_not(scaled: Any) -> None:
    path, raw, features = scaled
    model = mlworkflow_steps.load(path)
    assert features.attrs == {FEATURES: model.manifest.features_digest}
    expected = model.estimator.predict(features)
    assert np.array_equal(model.predict(raw), expected)
    assert np.array_equal(model.predict(features), expected)
    assert np.array_equal(model.predict(features[list(reversed(list(features)))].assign(more=1)), expected)
    assert not np.array_equal(model.estimator.predict(raw), expected)
    assert model.schema.columns["pixel_0_0"].type == "number"
    assert {oct(entry.stat().st_mode & 0o777) for entry in path.rglob("*")} == {"0o644", "0o755"}


def test_features_of_other_code_are_refused(scaled: Any, forest: Any) -> None:
    path, _, features = scaled
    other = features.copy()
    other.attrs[FEATURES] = "sha256:" + "b" * 64
    for model, frame in ((path, other), (forest.output("model"), features)):
        with pytest.raises(StepFailure, match="the table holds features made by sha256:") as caught:
            mlworkflow_steps.load(model).predict(frame)
        assert caught.value.reason == "FeatureCodeMismatch"


def test_a_tables_features_are_known_after_it_has_been_written_and_read(scaled: Any, tmp_path: Path) -> None:
    from mlworkflow_steps.data.table import Table, write_table

    _, raw, features = scaled
    write_table(Table(features, "target", "classification"), tmp_path / "features")
    write_table(Table(raw), tmp_path / "raw")
    assert read_table(tmp_path / "features").frame.attrs == features.attrs
    assert read_table(tmp_path / "raw").frame.attrs == {}


def test_a_missing_column_is_named_and_so_is_what_it_may_be_now(forest: Any, digits: Any) -> None:
    model = mlworkflow_steps.load(forest.output("model"))
    rows = pd.read_parquet(digits.output("test")).head(3)
    with pytest.raises(StepFailure, match=r"lacks columns that the model needs: pixel_0_1 \(is it 'pixel_01' now\?\)"):
        model.predict(rows.rename(columns={"pixel_0_1": "pixel_01"}))


# ── nobody's code ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Exploit:
    """What a pickle runs when it is loaded."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def _node(module: str, class_: str, loader: str, content: Any = None) -> dict[str, Any]:
    return {"__class__": class_, "__module__": module, "__loader__": loader, "content": content}


def _text(text: str) -> dict[str, Any]:
    return _node("builtins", "str", "JsonNode", json.dumps(text)) | {"is_json": True}


def _skops(root: dict[str, Any], files: dict[str, bytes] | None = None) -> bytes:
    """A skops file by hand."""
    schema = root | {"protocol": skops.io._protocol.PROTOCOL, "_skops_version": "0.1"}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
        for name, data in (files or {}).items():
            archive.writestr(name, data)
    return made.getvalue()


def _calling(command: str) -> bytes:
    """Loading calls `os.system`."""
    arguments = _node("builtins", "tuple", "TupleNode", [_text(command)])
    return _skops(_node("posix", "system", "ConstructorFromReduceNode", arguments))


def _distribution(command: str) -> bytes:
    """A distribution of SciPy's runs the text that it has for its argument parser."""
    from scipy import stats

    data = skops.io.dumps(type(stats.norm)())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read("schema.json"))
        files = {name: archive.read(name) for name in archive.namelist() if name != "schema.json"}
    code = f"import os; os.system({command!r})\n_parse_args = _parse_args_stats = _parse_args_rvs = print"
    schema["content"]["content"]["_parse_arg_template"]["content"] = json.dumps(code)
    return _skops(schema, files)


def _array(command: str) -> bytes:
    """An array of objects, whose file is a pickle."""
    made = io.BytesIO()
    np.save(made, np.array([Exploit(command)], dtype=object), allow_pickle=True)
    return _skops(_node("numpy", "ndarray", "NdArrayNode") | {"type": "numpy", "file": "1.npy"}, {"1.npy": made.getvalue()})  # fmt: skip


EXPLOITS = {
    "pickle": lambda command: pickle.dumps(Exploit(command)),
    "call": _calling,
    "distribution": _distribution,
    "array": _array,
}


@pytest.mark.parametrize("exploit", EXPLOITS)
@pytest.mark.parametrize("file", ["model.skops", "preprocessor/preprocessor.skops"])
def test_a_malicious_file_is_refused_and_runs_nothing(exploit: str, file: str, scaled: Any, tmp_path: Path) -> None:
    bundle = shutil.copytree(scaled[0], tmp_path / "model")
    (bundle / file).write_bytes(EXPLOITS[exploit](f"touch {tmp_path}/owned"))
    with pytest.raises(StepFailure) as caught:
        mlworkflow_steps.load(bundle)
    assert caught.value.reason == "ModelInvalid"
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("exploit", ["pickle", "call", "distribution", "array"])
def test_the_exploits_are_real(exploit: str, tmp_path: Path) -> None:
    """Whoever trusts them is lost: so the refusals above are what holds."""
    data = EXPLOITS[exploit](f"touch {tmp_path}/owned")
    if exploit == "pickle":
        pickle.loads(data)
    elif exploit == "array":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            np.load(io.BytesIO(archive.read("1.npy")), allow_pickle=True)
    else:
        skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    assert (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "name",
    ["numpy.testing._private.utils.runstring", "numpy.lib._datasource.DataSource", "os.system", "builtins.eval", "sklearn.datasets._base.load_files",
     "sklearn.utils.fixes.sklearn", "sklearn.tree._export.export_text", "functools.partial", "sklearn.nonsense.Thing"],
)  # fmt: skip
def test_types_that_could_run_code_are_not_trusted(name: str) -> None:
    from mlworkflow_steps.models.trust import trusted_types

    with pytest.raises(StepFailure, match="not trusted"):
        trusted_types([name], ("sklearn.",))


def test_a_bundle_with_a_planted_function_is_refused(forest: Any, tmp_path: Path) -> None:
    import os
    import shutil

    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    bundle = shutil.copytree(forest.output("model"), tmp_path / "model")
    skops.io.dump(FunctionTransformer(os.system), bundle / "model.skops")
    with pytest.raises(StepFailure, match=r"system") as caught:
        mlworkflow_steps.load(bundle)
    assert caught.value.reason == "ModelInvalid"

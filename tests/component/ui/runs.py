"""The runs that the tests of the page look at. All are made at once, by `mlwf run`; `held`, `asks` and `waits` go on until they are let."""

from __future__ import annotations

from typing import Any

from tests.ui.page import Home, sh, until, workflow

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\u202egnp.exe\u2066 & 'quoted' \"twice\""
_MEASURE = """for n in 1 2 3 4 5 6 7 8; do printf '{"name": "loss", "value": %s, "step": %s}\\n' "$(awk "BEGIN {print 2 / $n}")" "$n" >> "$MLWF_METRICS"; done"""


def good() -> dict[str, Any]:
    """A diamond that leaves artifacts, parameters and metrics."""
    return workflow(
        "good",
        [
            sh("prep", 'seq 1 40 > "$MLWF_OUT/table"; echo prepared 40 rows', outputs={"table": {"type": "file"}}),
            sh("fit", f'{_MEASURE}; cp "$MLWF_IN/table" "$MLWF_OUT/model"; mkdir -p "$MLWF_OUT/params"; echo 0.9537 > "$MLWF_OUT/params/accuracy"; for n in $(seq 1 300); do echo "epoch $n"; done',
               inputs={"table": {"from": "prep.table"}}, outputs={"model": {"type": "file"}, "accuracy": {"type": "number"}}, params={"depth": 5, "note": "as before"}),
            sh("folds", "true", inputs={"table": {"from": "prep.table"}}, forEach={"range": 12}),
            {"name": "group", "steps": [sh("split", "true", inputs={"table": {"from": "prep.table"}}), sh("score", "true", after=["split"])], "outputs": {}},
            sh("report", "true", inputs={"model": {"from": "fit.model"}}, after=["folds", "group"], when="${{ steps.fit.outputs.accuracy > 0.5 }}"),
            sh("never", "true", when="${{ params.seed > 100 }}"),
        ],
        params={"seed": 7, "name": "first try"},
    )  # fmt: skip


def cached() -> dict[str, Any]:
    """Its step is taken from an earlier run, once that has ended."""
    return workflow(
        "cached",
        [sh("prep", "echo once > \"$MLWF_OUT/words\"", outputs={"words": {"type": "file"}}, cache={"enabled": True, "salt": "page"})],
    )  # fmt: skip


def bad() -> dict[str, Any]:
    """Fails, and says why in words that would rather do something else."""
    return workflow(
        "bad",
        [
            sh("load", "echo loaded"),
            sh("train", f"cat <<'END'\n{HOSTILE}\nEND\necho the disk is full >&2; exit 3", after=["load"]),
            sh("sweep", '[ "$MLWF_PARAM_N" != 4 ]', forEach={"range": 6}, maxFailed=1, params={"n": "${{ item }}"}, after=["load"]),
            sh("after", "true", after=["train"]),
        ],
        params={"words": HOSTILE},
    )  # fmt: skip


def hostile() -> dict[str, Any]:
    """Succeeds, and leaves values that would rather do something else."""
    return workflow(
        "hostile",
        [sh("say", "mkdir -p \"$MLWF_OUT/params\"; printf '%s' \"$MLWF_PARAM_WORDS\" > \"$MLWF_OUT/params/said\"; echo \"$MLWF_PARAM_WORDS\"", params={"words": "${{ params.words }}"}, outputs={"said": {"type": "string"}})],
        params={"words": HOSTILE},
    )  # fmt: skip


def asks(name: str = "asks") -> dict[str, Any]:
    return workflow(
        name,
        [
            sh("build", "true"),
            {"name": "agree", "after": ["build"], "approve": {"message": f"Is this fit to ship? {HOSTILE}", "inputs": {
                "share": {"type": "number", "description": "of the traffic, from 0 to 1"},
                "where": {"type": "string", "enum": ["east", "west"], "default": "west"},
                "loud": {"type": "boolean", "default": False},
            }}},
            sh("ship", 'echo "$MLWF_PARAM_SHARE"', after=["agree"], params={"share": "${{ steps.agree.outputs.share }}"}),
        ],
    )  # fmt: skip


def held(home: Home) -> dict[str, Any]:
    """Goes on until `release`, saying and measuring something new whenever the file `word` is there."""
    watch = f"""n=0; echo begun; while [ ! -e '{home.folder}/release' ]; do
      if [ -e '{home.folder}/word' ]; then rm '{home.folder}/word'; n=$((n + 1)); echo "word $n"; printf '{{"name": "loss", "value": 0.%s, "step": %s}}\\n' "$n" "$n" >> "$MLWF_METRICS"; fi
      sleep 0.2; done; echo released"""
    return workflow(
        "held", [sh("first", "true"), sh("long", watch, after=["first"]), sh("last", "true", after=["long"])]
    )


def make(home: Home) -> None:
    """Returns when what ends has ended, and what waits waits."""
    ending = [home.run(resource) for resource in (good(), bad(), hostile(), cached())]
    home.run(asks())
    home.run(asks("waits"))
    home.run(held(home))
    for process in ending:
        process.wait(300)
    home.run(cached()).wait(300)
    phases = {
        "good.1": "Succeeded",
        "bad.1": "Failed",
        "hostile.1": "Succeeded",
        "cached.1": "Succeeded",
        "cached.2": "Succeeded",
    }
    until(lambda: {**phases, "asks.1": "Running", "waits.1": "Running", "held.1": "Running"}.items() <= {run["id"]: run["phase"] for run in home.runs()}.items())  # fmt: skip


def release(home: Home) -> None:
    """What is held ends."""
    (home.folder / "release").touch()

"""What is told of each command beyond its signature and its docstring. A test holds every example against the command that it calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DONE = ("0", "done")
WRONG = ("2", "a wrong call")
INTERRUPTED = ("130", "ended by Ctrl-C")
USUAL = (DONE, ("1", "it could not be done; the reason and the next step are on standard error"), WRONG, INTERRUPTED)
OF_RUNS = (DONE, ("1", "the run did not succeed, or it could not be done"), WRONG, INTERRUPTED)
OF_FINDINGS = (DONE, ("1", "something was found"), WRONG)

BEGIN, RUN, LOOK, STEER, TRACE, THINGS, UPKEEP, MORE = GROUPS = (
    "Begin",
    "Run workflows",
    "Look at runs",
    "Steer runs",
    "Trace and verify",
    "Datasets and models",
    "Upkeep",
    "More",
)


@dataclass(frozen=True, slots=True)
class Page:
    """`examples` are (command, what it does), `exit_codes` (code, what it means), `see_also` whole commands."""

    group: str = MORE
    examples: tuple[tuple[str, str], ...] = ()
    see_also: tuple[str, ...] = ()
    exit_codes: tuple[tuple[str, str], ...] = USUAL


PAGES: Mapping[str, Page] = {
    "": Page(
        examples=(
            ("mlwf init classification", "begin a project"),
            ("mlwf run workflow.yaml", "run it on this machine"),
            ("mlwf submit workflow.yaml --wait", "run it in a cluster, and watch"),
            ("mlwf doctor", "something does not work: what is missing?"),
        ),
    ),
    "init": Page(
        BEGIN,
        (
            ("mlwf init", "list the templates; on a terminal choose one"),
            (
                "mlwf init classification churn",
                "begin in the folder churn, with a made-up table to be replaced by yours",
            ),
        ),
        ("mlwf run", "mlwf explain", "mlwf schema"),
    ),
    "explain": Page(
        BEGIN,
        (
            ("mlwf explain steps.tune.algorithm", "a field: type, default, what is below it, an example"),
            ("mlwf explain retry", "a field of any step"),
            ("mlwf explain OOMKilled", "why a step failed, and what to do"),
            ("mlwf explain --kinds", "the kinds of step"),
        ),
        ("mlwf schema", "mlwf lint"),
    ),
    "schema": Page(
        BEGIN,
        (
            (
                "mlwf schema > mlworkflow.schema.json",
                "for the first line of a file: # yaml-language-server: $schema=mlworkflow.schema.json",
            ),
        ),
        ("mlwf lint",),
    ),
    "doctor": Page(
        BEGIN,
        (
            ("mlwf doctor", "this machine, and the cluster of the kubeconfig if there is one"),
            ("mlwf doctor -n ml -o json", "for a namespace, and for programs"),
            ("mlwf doctor --local", "this machine alone"),
        ),
        ("mlwf top",),
        (DONE, ("1", "at least one check says fail"), WRONG, INTERRUPTED),
    ),
    "run": Page(
        RUN,
        (
            ("mlwf run workflow.yaml", "with a live table on a terminal, a line per change elsewhere"),
            ("mlwf run workflow.yaml -p depth=3 -p name=it", "with other parameters"),
            ("mlwf run workflow.yaml --engine docker", "the commands of `container` steps in their images"),
            ("mlwf run workflow.yaml -q -o json", "for programs: the resource at its end"),
        ),
        ("mlwf submit", "mlwf lint", "mlwf retry"),
        (*OF_RUNS[:3], ("130", "ended by Ctrl-C (128 + the signal, for others)")),
    ),
    "lint": Page(
        RUN,
        (
            ("mlwf lint *.yaml", "all that is wrong, with file, line and field"),
            ("mlwf lint workflow.yaml -o json", "for programs"),
        ),
        ("mlwf explain", "mlwf schema"),
        (DONE, ("1", "an error was found; warnings do not count"), WRONG),
    ),
    "submit": Page(
        RUN,
        (
            ("mlwf submit workflow.yaml", "start it, and return"),
            ("mlwf submit workflow.yaml -n ml --wait", "in the namespace ml, and watch it to its end"),
        ),
        ("mlwf watch", "mlwf run"),
        OF_RUNS,
    ),
    "list": Page(
        LOOK,
        (
            ("mlwf list", "oldest first"),
            ("mlwf list -A", "of all namespaces"),
            ("mlwf list --archived", "those that have ended and are kept"),
        ),
        ("mlwf get", "mlwf top"),
    ),
    "get": Page(
        LOOK,
        (
            ("mlwf get digits", "its steps, and what it waits for"),
            ("mlwf get digits --tasks -o yaml", "with every item and trial"),
        ),
        ("mlwf watch", "mlwf logs", "mlwf explain"),
    ),
    "watch": Page(LOOK, (("mlwf watch digits", "until it has ended"),), ("mlwf get", "mlwf top"), OF_RUNS),
    "top": Page(
        LOOK,
        (("mlwf top -A", "of all namespaces, drawn anew until Ctrl-C"), ("mlwf top -o json", "once, for programs")),
        ("mlwf list", "mlwf get", "mlwf doctor"),
    ),
    "ui": Page(
        LOOK,
        (
            ("mlwf ui --local", "runs of this machine"),
            (
                "mlwf ui -n ml --no-browser --port 8000",
                "of a namespace, with your own rights, at an address to open yourself",
            ),
        ),
        ("mlwf top", "mlwf get"),
        (DONE, ("1", "it could not be started"), WRONG, INTERRUPTED),
    ),
    "logs": Page(
        LOOK,
        (
            ("mlwf logs digits train -f", "while it runs"),
            ("mlwf logs digits tune/3", "of a trial"),
            ("mlwf logs digits train --attempt 0", "of the first attempt"),
        ),
        ("mlwf get",),
    ),
    "artifacts": Page(
        LOOK, (("mlwf artifacts digits", "also what failed attempts left"),), ("mlwf download", "mlwf lineage")
    ),
    "download": Page(
        LOOK,
        (
            ("mlwf download digits evaluate.report report.html", "a file"),
            ("mlwf download digits train.model model", "a directory"),
            ("mlwf download digits train.logs -", "to standard output"),
        ),
        ("mlwf artifacts", "mlwf verify"),
    ),
    "approve": Page(
        STEER,
        (
            ("mlwf approve release ship -p share=0.25 -m 'looks good'", "yes, with what the step asks for"),
            ("mlwf approve release ship --reject -m 'too early'", "no"),
        ),
        ("mlwf top", "mlwf get"),
    ),
    "retry": Page(
        STEER,
        (
            ("mlwf retry digits", "what has failed, and what follows from it"),
            ("mlwf retry digits --step train", "train, and what depends on it"),
            ("mlwf retry digits -p trees=200 --wait", "with another parameter"),
        ),
        ("mlwf get", "mlwf why-miss"),
        OF_RUNS,
    ),
    "stop": Page(STEER, (("mlwf stop digits", "it ends as Cancelled"),), ("mlwf suspend", "mlwf retry")),
    "suspend": Page(STEER, (("mlwf suspend digits", "what runs goes on, nothing else starts"),), ("mlwf resume",)),
    "resume": Page(STEER, (("mlwf resume digits", "go on"),), ("mlwf suspend",)),
    "delete": Page(
        STEER,
        (
            ("mlwf delete digits", "what is kept of it can still be looked at"),
            ("mlwf delete digits --purge", "that too goes"),
        ),
        ("mlwf stop", "mlwf gc"),
    ),
    "lineage": Page(
        TRACE,
        (
            ("mlwf lineage digits/train.model", "back to the data, and on to what used it"),
            ("mlwf lineage sha256:9f86d0 --svg lineage.svg", "as a picture"),
        ),
        ("mlwf diff", "mlwf verify"),
    ),
    "diff": Page(
        TRACE, (("mlwf diff digits.1 digits.2", "parameters, data, code, outputs, metrics"),), ("mlwf reproduce",)
    ),
    "export": Page(
        TRACE,
        (
            ("mlwf export digits > recipe.yaml", "what was asked for, images by digest"),
            ("mlwf export digits | kubectl apply -f -", "from a laptop to a cluster"),
        ),
        ("mlwf reproduce", "mlwf submit"),
    ),
    "reproduce": Page(
        TRACE,
        (("mlwf reproduce digits", "does the same come out, bit by bit?"),),
        ("mlwf diff",),
        (DONE, ("1", "something differs, or it could not be done"), WRONG, INTERRUPTED),
    ),
    "why-miss": Page(
        TRACE, (("mlwf why-miss digits train", "which field differs from the last time"),), ("mlwf diff",)
    ),
    "verify": Page(
        TRACE,
        (
            ("mlwf verify digits", "signature, records and bytes"),
            ("mlwf verify digits --key key.pem --no-content", "with a key of your own, without reading every artifact"),
        ),
        ("mlwf public-key",),
        (DONE, ("1", "something does not fit, or it could not be looked at"), WRONG, INTERRUPTED),
    ),
    "public-key": Page(TRACE, (("mlwf public-key > key.pem", "keep it in a safe place"),), ("mlwf verify",)),
    "dataset": Page(THINGS, (), ("mlwf models",)),
    "dataset add": Page(
        THINGS,
        (
            ("mlwf dataset add bikes bikes.csv", "a file"),
            ("mlwf dataset add bikes https://example.org/bikes.csv", "what an address has"),
            ("mlwf dataset add bikes digits prep.train", "what a run left"),
        ),
        ("mlwf dataset list",),
    ),
    "dataset remove": Page(
        THINGS,
        (
            ("mlwf dataset remove bikes@sha256:9f86d0", "forget this version"),
            ("mlwf dataset remove bikes --all", "forget every one"),
        ),
        ("mlwf dataset show",),
    ),
    "dataset list": Page(THINGS, (("mlwf dataset list", "each with its newest version"),), ("mlwf dataset show",)),
    "dataset show": Page(THINGS, (("mlwf dataset show bikes", "every version"),), ("mlwf dataset add",)),
    "models": Page(THINGS, (), ("mlwf dataset",)),
    "models list": Page(THINGS, (("mlwf models list", "with what their aliases mean"),), ("mlwf models show",)),
    "models show": Page(THINGS, (("mlwf models show bikes", "versions and moves"),), ("mlwf models compare",)),
    "models promote": Page(
        THINGS,
        (
            ("mlwf models promote bikes digits train.model", "what a run left becomes the champion"),
            (
                "mlwf models promote bikes 3 --expect 2 -m 'better by night'",
                "version 3, if the champion is still version 2",
            ),
        ),
        ("mlwf models rollback",),
    ),
    "models rollback": Page(THINGS, (("mlwf models rollback bikes", "the champion before"),), ("mlwf models promote",)),
    "models compare": Page(
        THINGS, (("mlwf models compare bikes@2 bikes@champion", "metrics, and what went into them"),), ("mlwf diff",)
    ),
    "gc": Page(UPKEEP, (("mlwf gc --dry-run", "what would go"),), ("mlwf delete",)),
    "completion": Page(
        UPKEEP,
        (
            ("mlwf completion bash > ~/.local/share/bash-completion/completions/mlwf", "for every bash of yours"),
            ("mlwf completion zsh > ~/.zfunc/_mlwf", "with fpath+=~/.zfunc before compinit in .zshrc"),
            ("mlwf completion fish > ~/.config/fish/completions/mlwf.fish", "for fish"),
        ),
    ),
    "man": Page(UPKEEP, (("mlwf man ~/.local/share/man/man1", "then: man mlwf-run"),)),
}

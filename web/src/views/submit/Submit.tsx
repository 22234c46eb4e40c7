/** A new run: its YAML with the schema at hand, what is wrong with it while it is written, its parameters as a form. */
import { useEffect, useRef, useState } from "preact/hooks";
import { asProblem, get, post } from "../../api/client";
import type { Done, Examples, Finding, LintAnswer, Problem, RunAnswer, Submit as Submission } from "../../api/types";
import { go } from "../../app/router";
import { say } from "../../app/say";
import { mayIn, session } from "../../app/session";
import type { ViewProps } from "../../app/view";
import { Button } from "../../ui/button";
import { useResource } from "../../ui/resource";
import { Failure, Loading, Notice, Said } from "../../ui/states";
import { Namespaces } from "../shared/Namespaces";
import { type Editor, edit } from "./editor";
import { Fields } from "./Fields";
import { Findings } from "./Findings";
import { Plan } from "./Plan";
import { changed } from "./params";
import type { Schema } from "./schema";
import "./submit.css";

const DRAFT = "mlworkflow.draft";
const PAUSE = 350;
/** What a newcomer sees. */
const BEGIN = "digits";

export default function Submit({ query }: ViewProps) {
  const begin = useResource(`${query.from ?? ""} ${query.example ?? ""}`, async (signal) => {
    const [schema, { examples }] = await Promise.all([
      get<Schema>("schema", {}, signal),
      get<Examples>("examples", {}, signal),
    ]);
    return { schema, examples, text: await firstText(query, examples, signal) };
  });
  return (
    <div class="stack">
      <h1>New run</h1>
      {begin.data ? (
        <Form
          key={`${query.from} ${query.example}`}
          query={query}
          schema={begin.data.schema}
          examples={begin.data.examples}
          first={begin.data.text}
        />
      ) : begin.error ? (
        <Failure error={begin.error} again={begin.reload} />
      ) : (
        <Loading label="Opening the editor" />
      )}
    </div>
  );
}

/** The YAML of the run or the example that the address names; else what was being written; else an example. */
async function firstText(
  query: ViewProps["query"],
  examples: Examples["examples"],
  signal: AbortSignal,
): Promise<string> {
  if (query.from) {
    const [namespace = "", run = ""] = query.from.split("/");
    return (await get<RunAnswer>("run", { namespace, run }, signal)).yaml;
  }
  const wanted = examples.find((one) => one.name === query.example);
  return wanted?.text ?? kept() ?? (examples.find((one) => one.name === BEGIN) ?? examples[0])?.text ?? "";
}

interface FormProps {
  readonly query: ViewProps["query"];
  readonly schema: Schema;
  readonly examples: Examples["examples"];
  readonly first: string;
}

function Form({ query, schema, examples, first }: FormProps) {
  const [text, setText] = useState(first);
  const [namespace, setNamespace] = useState(query.namespace || session.value?.namespace || "");
  const [written, setWritten] = useState<Record<string, string>>({});
  const [noCache, setNoCache] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [refused, setRefused] = useState<Problem>();
  const { lint, problem } = useLint(text);
  const editor = useRef<Editor | undefined>(undefined);
  const may = mayIn(namespace, "submit");
  const given = lint?.params ?? {};
  const { params, problems } = changed(given, written);
  const isReady =
    may && !isBusy && (lint?.isSound ?? false) && lint?.workflows.length === 1 && Object.keys(problems).length === 0;
  const findings = refused?.findings.length ? refused.findings : (lint?.findings ?? []);

  const submit = async () => {
    if (!isReady) return;
    setBusy(true);
    setRefused(undefined);
    try {
      const asked: Submission = { text, namespace, params, noCache };
      const done = await post<Done>("submit", asked);
      forget();
      say(done.message);
      go("run", { namespace: done.namespace, run: done.run });
    } catch (error) {
      setRefused(asProblem(error));
      setBusy(false);
    }
  };
  const latest = useRef(submit);
  latest.current = submit;
  const change = (next: string) => {
    setText(next);
    setRefused(undefined);
    keep(next);
  };

  return (
    <div class="submit">
      <div class="stack submit-left">
        <div class="row wrap">
          <span class="row">
            <label class="muted submit-begin" for="submit-begin">
              Start from
            </label>
            <select
              id="submit-begin"
              class="input"
              value=""
              onChange={(event) => {
                const chosen = examples.find((one) => one.name === event.currentTarget.value);
                if (chosen) editor.current?.replace(chosen.text);
                event.currentTarget.value = "";
              }}
            >
              <option value="">an example…</option>
              {examples.map((one) => (
                <option key={one.name} value={one.name}>
                  {one.title || one.name}
                </option>
              ))}
            </select>
          </span>
          <Namespaces chosen={namespace} choose={setNamespace} />
        </div>
        <Area
          first={first}
          schema={schema}
          findings={findings}
          change={change}
          submit={() => void latest.current()}
          editor={editor}
        />
        <p class="muted submit-keys">
          Ctrl-Space offers what may stand there, Ctrl-Enter starts the run, Tab leaves the editor.
        </p>
      </div>
      <div class="stack submit-right">
        {!may && <Notice tone="warn">You may not start runs {namespace && `in ${namespace}`}.</Notice>}
        {problem && <Notice tone="bad">{problem.message}</Notice>}
        {refused && (
          <div role="alert">
            <Notice tone="bad">
              <Said problem={refused} />
            </Notice>
          </div>
        )}
        <Findings lint={lint} findings={findings} go={(line) => editor.current?.go(line)} />
        {Object.keys(given).length > 0 && (
          <Fields
            given={given}
            written={written}
            problems={problems}
            change={(name, value) => setWritten({ ...written, [name]: value })}
          />
        )}
        <label class="row submit-cache">
          <input type="checkbox" checked={noCache} onChange={(event) => setNoCache(event.currentTarget.checked)} />
          Run every step, whatever has been done before
        </label>
        <div>
          <Button kind="primary" icon="play" disabled={!isReady} onClick={() => void submit()}>
            Start the run
          </Button>
        </div>
        {lint?.graph && <Plan graph={lint.graph} />}
      </div>
    </div>
  );
}

interface AreaProps {
  readonly first: string;
  readonly schema: Schema;
  readonly findings: readonly Finding[];
  readonly change: (text: string) => void;
  readonly submit: () => void;
  readonly editor: { current: Editor | undefined };
}

function Area({ first, schema, findings, change, submit, editor }: AreaProps) {
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(change);
  latest.current = change;
  useEffect(() => {
    if (!host.current) return;
    const made = edit(host.current, {
      text: first,
      label: "The workflow as YAML",
      schema,
      onChange: (text) => latest.current(text),
      onSubmit: submit,
    });
    editor.current = made;
    return () => made.end();
  }, []);
  useEffect(() => editor.current?.mark(findings), [findings]);
  return <div class="submit-editor" ref={host} />;
}

/** What the server says of a text, a moment after the last change. */
function useLint(text: string): { lint: LintAnswer | undefined; problem: Problem | undefined } {
  const [state, setState] = useState<{ lint?: LintAnswer; problem?: Problem }>({});
  useEffect(() => {
    let isOver = false;
    const timer = window.setTimeout(() => {
      post<LintAnswer>("lint", { text }).then(
        (lint) => !isOver && setState({ lint }),
        (error: unknown) => !isOver && setState({ problem: asProblem(error) }),
      );
    }, PAUSE);
    return () => {
      isOver = true;
      window.clearTimeout(timer);
    };
  }, [text]);
  return { lint: state.lint, problem: state.problem };
}

function kept(): string | undefined {
  try {
    return sessionStorage.getItem(DRAFT) ?? undefined;
  } catch {
    return undefined;
  }
}

function keep(text: string): void {
  try {
    sessionStorage.setItem(DRAFT, text);
  } catch {
    // A browser that keeps nothing still edits.
  }
}

function forget(): void {
  try {
    sessionStorage.removeItem(DRAFT);
  } catch {
    // As above.
  }
}

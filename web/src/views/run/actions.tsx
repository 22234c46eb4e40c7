/** What can be asked of a run, each behind a window that says what will happen. */
import { useState } from "preact/hooks";
import { post } from "../../api/client";
import type { Done, Verb } from "../../api/types";
import { go } from "../../app/router";
import { say } from "../../app/say";
import { Button } from "../../ui/button";
import { Confirm } from "../../ui/dialog";
import type { IconName } from "../../ui/icons";
import { Params } from "./params";
import type { RunStore } from "./store";

type Deed = Extract<Verb, "retry" | "suspend" | "resume" | "cancel" | "delete">;

const BUTTONS: readonly {
  readonly verb: Deed;
  readonly label: string;
  readonly icon: IconName;
  readonly danger?: boolean;
}[] = [
  { verb: "retry", label: "Retry", icon: "retry" },
  { verb: "resume", label: "Resume", icon: "play" },
  { verb: "suspend", label: "Suspend", icon: "pause" },
  { verb: "cancel", label: "Cancel", icon: "stop", danger: true },
  { verb: "delete", label: "Delete", icon: "trash", danger: true },
];

export function Actions({ store }: { store: RunStore }) {
  const [deed, ask] = useState<Deed>();
  const may = store.state.value?.may ?? [];
  const close = () => ask(undefined);
  return (
    <>
      <div class="row wrap" role="group" aria-label="Actions">
        {BUTTONS.filter(({ verb }) => may.includes(verb)).map(({ verb, label, icon, danger }) => (
          <Button key={verb} icon={icon} kind={danger ? "danger" : "plain"} onClick={() => ask(verb)}>
            {label}
          </Button>
        ))}
      </div>
      {deed === "retry" && <RetryDialog store={store} onClose={close} />}
      {deed && deed !== "retry" && <Ask deed={deed} store={store} onClose={close} />}
    </>
  );
}

const WORDS: Readonly<Record<Exclude<Deed, "retry">, { title: string; verb: string; body: string; danger?: boolean }>> =
  {
    suspend: {
      title: "Suspend",
      verb: "Suspend",
      body: "Nothing new starts. What runs now goes on to its end. You can resume at any time.",
    },
    resume: { title: "Resume", verb: "Resume", body: "Steps that are ready start again." },
    cancel: {
      title: "Cancel",
      verb: "Cancel the run",
      body: "What runs is stopped, and the run ends as Cancelled. What its steps have left is kept, and you can retry it.",
      danger: true,
    },
    delete: {
      title: "Delete",
      verb: "Delete the run",
      body: "The run goes from the list. What it left is kept as the retention of this place says.",
      danger: true,
    },
  };

function Ask({ deed, store, onClose }: { deed: Exclude<Deed, "retry">; store: RunStore; onClose: () => void }) {
  const { title, verb, body, danger } = WORDS[deed];
  const carryOut = async () => {
    const done = await post<Done>(`run/${deed}`, store.which);
    say(done.message);
    if (deed === "delete") go("runs");
    else store.follow();
  };
  return (
    <Confirm
      title={
        <>
          {title} <bdi>{store.run}</bdi>?
        </>
      }
      verb={verb}
      danger={danger}
      onConfirm={carryOut}
      onClose={onClose}
    >
      <p>{body}</p>
    </Confirm>
  );
}

/** `from`: the step that was pointed at, chosen to begin with. */
export function RetryDialog({ store, from, onClose }: { store: RunStore; from?: string; onClose: () => void }) {
  const answer = store.answer.value;
  const [steps, choose] = useState<ReadonlySet<string>>(new Set(from ? [from] : []));
  const [params, setParams] = useState<Readonly<Record<string, unknown>>>({});
  const [isSound, setSound] = useState(true);
  const names = (answer?.graph.nodes ?? [])
    .filter((node) => node.parent === "" && node.role !== "fold" && !node.at)
    .map((node) => node.name);
  const carryOut = async () => {
    const done = await post<Done>("run/retry", { ...store.which, steps: [...steps], params });
    say(done.message);
    if (done.run && done.run !== store.run) go("run", { namespace: done.namespace || store.namespace, run: done.run });
    else store.follow();
  };
  return (
    <Confirm
      title={
        <>
          Retry <bdi>{store.run}</bdi>
        </>
      }
      verb={steps.size ? "Run again from there" : "Retry"}
      disabled={!isSound}
      onConfirm={carryOut}
      onClose={onClose}
    >
      <p>
        {steps.size
          ? "These steps run again, and all that depends on them. Everything else keeps its result."
          : "What failed, or has changed, runs again, and what depends on it. What has succeeded keeps its result."}
      </p>
      <fieldset class="picks">
        <legend>Run again from</legend>
        {names.slice(0, 200).map((name) => (
          <label key={name}>
            <input
              type="checkbox"
              checked={steps.has(name)}
              onChange={() => {
                const next = new Set(steps);
                if (!next.delete(name)) next.add(name);
                choose(next);
              }}
            />
            <bdi>{name}</bdi>
          </label>
        ))}
      </fieldset>
      {answer && Object.keys(answer.params).length > 0 && (
        <details>
          <summary>With other parameters</summary>
          <Params
            before={answer.params}
            onChange={(changed, sound) => {
              setParams(changed);
              setSound(sound);
            }}
          />
        </details>
      )}
    </Confirm>
  );
}

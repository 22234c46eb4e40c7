/** The window in which a model that a run has left gets a name, or becomes a version of one. */
import { useState } from "preact/hooks";
import { get, post } from "../../api/client";
import type { Done, ModelsAnswer, Promotion } from "../../api/types";
import { go } from "../../app/router";
import { say } from "../../app/say";
import { Confirm } from "../../ui/dialog";
import { useResource } from "../../ui/resource";
import { isAlias } from "./model";
import { AliasField, Reason } from "./moves";

interface Props {
  readonly namespace: string;
  readonly run: string;
  readonly task: string;
  readonly output: string;
  readonly onClose: () => void;
}

export function PromoteLeft({ namespace, run, task, output, onClose }: Props) {
  const [name, setName] = useState("");
  const [alias, setAlias] = useState("champion");
  const [message, setMessage] = useState("");
  const models = useResource(namespace, (signal) => get<ModelsAnswer>("models", { namespace }, signal));
  const known = models.data?.models ?? [];
  const means = known.find((one) => one.name === name)?.aliases[alias];
  const isReady = models.data !== undefined && isAlias(name) && isAlias(alias) && message.trim() !== "";
  const promote = async () => {
    // What is looked at is what is moved: where somebody else was quicker, nothing is.
    const expect = means === undefined ? "none" : String(means);
    const asked: Promotion = { namespace, name, alias, run, task, output, expect, message };
    say((await post<Done>("model/promote", asked)).message);
    go("models", { namespace, name });
  };
  return (
    <Confirm
      title={`Promote ${task}.${output} of ${run}`}
      verb="Promote"
      disabled={!isReady}
      onConfirm={promote}
      onClose={onClose}
    >
      <label class="field">
        <span class="label">Name</span>
        <input
          class="input"
          list="models-names"
          required
          value={name}
          onInput={(event) => setName(event.currentTarget.value.trim())}
        />
        <datalist id="models-names">
          {known.map((one) => (
            <option key={one.name} value={one.name} />
          ))}
        </datalist>
        <span class="help">Of the model, whatever version: workflows take it by this name.</span>
      </label>
      <AliasField
        alias={alias}
        known={Object.keys(known.find((one) => one.name === name)?.aliases ?? {})}
        setAlias={setAlias}
      />
      {isAlias(name) && isAlias(alias) && (
        <p>
          {name}@{alias}{" "}
          {means === undefined ? "means nothing yet." : `means version ${means} now; it can be rolled back.`}
        </p>
      )}
      <Reason message={message} setMessage={setMessage} />
    </Confirm>
  );
}

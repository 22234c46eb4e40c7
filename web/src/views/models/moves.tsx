/** The windows in which an alias is moved: what it means now, what it will mean, and why. */
import { useState } from "preact/hooks";
import { post } from "../../api/client";
import type { Done, Model, ModelVersion, Promotion, Rollback } from "../../api/types";
import { say } from "../../app/say";
import { Confirm } from "../../ui/dialog";
import { before, isAlias } from "./model";

interface Props {
  readonly namespace: string;
  readonly model: Model;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

export function PromoteDialog({ namespace, model, version, onClose, onDone }: Props & { version: ModelVersion }) {
  const [alias, setAlias] = useState("champion");
  const [message, setMessage] = useState("");
  const means = model.aliases[alias];
  const isSame = means === version.number;
  const promote = async () => {
    // What is looked at is what is moved: where somebody else was quicker, nothing is.
    const expect = means === undefined ? "none" : String(means);
    const asked: Promotion = { namespace, name: model.name, alias, version: String(version.number), expect, message };
    say((await post<Done>("model/promote", asked)).message);
    onDone();
  };
  return (
    <Confirm
      title={`Promote version ${version.number} of ${model.name}`}
      verb="Promote"
      disabled={!isAlias(alias) || isSame || !message.trim()}
      onConfirm={promote}
      onClose={onClose}
    >
      <AliasField alias={alias} known={Object.keys(model.aliases)} setAlias={setAlias} />
      <p>
        {isSame
          ? `${alias} means version ${version.number} already.`
          : means === undefined
            ? `There is no alias ${alias} yet. It will mean version ${version.number}.`
            : `${alias} means version ${means} now. It will mean version ${version.number}; it can be rolled back.`}
      </p>
      <Reason message={message} setMessage={setMessage} />
    </Confirm>
  );
}

export function RollbackDialog({ namespace, model, alias, onClose, onDone }: Props & { alias: string }) {
  const [message, setMessage] = useState("");
  const back = before(model, alias);
  const roll = async () => {
    const asked: Rollback = { namespace, name: model.name, alias, message };
    say((await post<Done>("model/rollback", asked)).message);
    onDone();
  };
  return (
    <Confirm
      title={`Roll back ${alias} of ${model.name}`}
      verb="Roll back"
      danger
      disabled={!message.trim()}
      onConfirm={roll}
      onClose={onClose}
    >
      <p>
        {alias} means version {model.aliases[alias]} now. It will mean version {back} again. Whoever takes the model by
        this alias gets that one from then on.
      </p>
      <Reason message={message} setMessage={setMessage} />
    </Confirm>
  );
}

export function AliasField({
  alias,
  known,
  setAlias,
}: {
  alias: string;
  known: readonly string[];
  setAlias: (alias: string) => void;
}) {
  return (
    <label class="field">
      <span class="label">Alias</span>
      <input
        class="input"
        list="models-known"
        value={alias}
        onInput={(event) => setAlias(event.currentTarget.value.trim())}
      />
      <datalist id="models-known">
        {known.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      {!isAlias(alias) && <span class="wrong">Small letters, digits and dashes, beginning with a letter.</span>}
    </label>
  );
}

export function Reason({ message, setMessage }: { message: string; setMessage: (text: string) => void }) {
  return (
    <label class="field">
      <span class="label">Reason</span>
      <textarea
        class="input"
        rows={2}
        maxLength={1024}
        required
        value={message}
        onInput={(event) => setMessage(event.currentTarget.value)}
      />
      <span class="help">Kept with the move, with your name.</span>
    </label>
  );
}

/** Parameters to be changed: each as JSON, or as plain text where it is no JSON. Only those that differ are told. */
import { useState } from "preact/hooks";
import { Field } from "../../ui/field";
import { changed, written } from "./values";

export function Params({
  before,
  onChange,
}: {
  before: Readonly<Record<string, unknown>>;
  onChange: (changed: Record<string, unknown>, isSound: boolean) => void;
}) {
  const [texts, set] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(Object.entries(before).map(([name, value]) => [name, written(value)])),
  );
  const { problems } = changed(before, texts);
  const type = (name: string, text: string) => {
    const next = { ...texts, [name]: text };
    set(next);
    const found = changed(before, next);
    onChange(found.values, Object.keys(found.problems).length === 0);
  };
  return (
    <div class="stack params">
      {Object.keys(before).map((name) => (
        <Field
          key={name}
          label={<bdi>{name}</bdi>}
          problem={problems[name]}
          control={(props) => (
            <input
              {...props}
              class="input mono"
              value={texts[name]}
              onInput={(event) => type(name, event.currentTarget.value)}
            />
          )}
        />
      ))}
    </div>
  );
}

/** The parameters of the workflow as a form; what is left as it is, is the file's. */
import { asText } from "./params";

interface Props {
  readonly given: Readonly<Record<string, unknown>>;
  readonly written: Readonly<Record<string, string>>;
  readonly problems: Readonly<Record<string, string>>;
  readonly change: (name: string, text: string) => void;
}

export function Fields({ given, written, problems, change }: Props) {
  return (
    <section class="card submit-fields" aria-labelledby="submit-params">
      <h2 id="submit-params">Parameters</h2>
      {Object.entries(given).map(([name, value]) => {
        const text = written[name] ?? asText(value);
        return (
          <label key={name} class="field" for={`submit-${name}`}>
            <span class="label">
              <bdi>{name}</bdi>
              {text !== asText(value) && <span class="muted submit-was"> in the file: {asText(value)}</span>}
            </span>
            {typeof value === "boolean" ? (
              <select
                id={`submit-${name}`}
                class="input"
                value={text}
                onChange={(event) => change(name, event.currentTarget.value)}
              >
                <option>true</option>
                <option>false</option>
              </select>
            ) : (
              <input
                id={`submit-${name}`}
                class="input"
                value={text}
                inputMode={typeof value === "number" ? "decimal" : "text"}
                aria-invalid={problems[name] !== undefined}
                onInput={(event) => change(name, event.currentTarget.value)}
              />
            )}
            {problems[name] && <span class="wrong">{problems[name]}</span>}
          </label>
        );
      })}
    </section>
  );
}

/** YAML and JSON to be read and copied. Colours come from a reader of single lines: it only says what is what, nothing is parsed. */
import { useState } from "preact/hooks";
import { Button } from "./button";
import { visible } from "./format";

const LINE = /^(\s*(?:- )*)((?:[^\s#"'-][^:#]*|"[^"]*"|'[^']*'):)?(\s.*|)$/;

/** More lines are shown without colours: an element for each would take seconds. */
const MOST_COLOURED = 3_000;

export function Yaml({ text, label, file }: { text: string; label: string; file?: string }) {
  const shown = visible(text);
  const lines = shown.split("\n");
  return (
    <div class="stack">
      <div class="row">
        <Copy text={text} what={label} />
        {file && (
          <Button icon="download" title={file} onClick={() => save(text, file)}>
            Save
          </Button>
        )}
      </div>
      <pre class="code" role="region" tabIndex={0} aria-label={label}>
        {lines.length > MOST_COLOURED ? shown : lines.map((line, index) => <Line key={index} line={line} />)}
      </pre>
    </div>
  );
}

function Line({ line }: { line: string }) {
  if (/^\s*#/.test(line)) return <span class="remark">{`${line}\n`}</span>;
  const [, indent = "", key = "", value = ""] = LINE.exec(line) ?? [];
  if (!key && !indent) return <>{`${line}\n`}</>;
  const look = /^\s*["']/.test(value)
    ? "quoted"
    : /^\s*(-?\d[\d.e+-]*|true|false|null)\s*$/.test(value)
      ? "value"
      : undefined;
  return (
    <>
      {indent}
      {key && <span class="key">{key}</span>}
      <span class={look}>{value}</span>
      {"\n"}
    </>
  );
}

function save(text: string, file: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
  link.download = file;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function Copy({ text, what }: { text: string; what: string }) {
  const [said, say] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("Copied");
    } catch {
      say("The browser does not allow it");
    }
    window.setTimeout(() => say(""), 2000);
  };
  return (
    <Button icon={said === "Copied" ? "check" : "copy"} onClick={() => void copy()} title={`Copy ${what}`}>
      <span aria-live="polite">{said || "Copy"}</span>
    </Button>
  );
}

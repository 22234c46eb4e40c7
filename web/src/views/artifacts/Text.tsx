/** Lines of a text with their numbers, a piece at a time. */
import { useState } from "preact/hooks";
import { asProblem } from "../../api/client";
import type { Problem, TextPreview } from "../../api/types";
import { Notice } from "../../ui/states";
import { Copy } from "../../ui/yaml";

export function Text({
  first,
  more,
  label,
}: {
  first: TextPreview;
  more: (offset: number) => Promise<TextPreview>;
  label: string;
}) {
  const [pages, setPages] = useState<readonly TextPreview[]>([first]);
  const [isAsking, setAsking] = useState(false);
  const [isWrapped, setWrapped] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const last = pages.at(-1) as TextPreview;
  const text = pages
    .map((page) => page.text)
    .join(last.text && pages.length > 1 && !pages[0]?.text.endsWith("\n") ? "\n" : "");
  const lines = text.replace(/\n$/, "").split("\n");
  const next = async () => {
    setAsking(true);
    setProblem(undefined);
    try {
      setPages([...pages, await more(last.offset + last.lines)]);
    } catch (error) {
      setProblem(asProblem(error));
    }
    setAsking(false);
  };
  return (
    <div class="stack">
      <div class="row wrap">
        <Copy text={text} what={label} />
        <button type="button" class="button" aria-pressed={isWrapped} onClick={() => setWrapped(!isWrapped)}>
          Wrap lines
        </button>
        {first.language && <span class="muted">{first.language}</span>}
      </div>
      <pre
        class={isWrapped ? "code artifact-text is-wrapped" : "code artifact-text"}
        tabIndex={0}
        role="group"
        aria-label={label}
      >
        {lines.map((line, at) => (
          <span key={at} class="artifact-line" data-line={first.offset + at + 1}>
            {line || "\u200b"}
          </span>
        ))}
      </pre>
      {problem && <Notice tone="bad">{problem.message}</Notice>}
      {last.hasMore && (
        <div>
          <button type="button" class="button" disabled={isAsking} onClick={() => void next()}>
            Show more
          </button>
        </div>
      )}
    </div>
  );
}

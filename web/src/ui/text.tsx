/** A word or sentence that somebody else wrote: in its own direction, with what hides in it made visible. */
import { visible } from "./format";

export function Text({ text, class: look, title }: { text: string; class?: string; title?: boolean }) {
  const shown = visible(text);
  return (
    <bdi class={look} title={title ? shown : undefined}>
      {shown}
    </bdi>
  );
}

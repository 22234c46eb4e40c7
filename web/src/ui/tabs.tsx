/** Tabs as the pattern has them: one stop of the Tab key, arrows within. */
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

export interface TabsProps<Id extends string> {
  readonly label: string;
  readonly tabs: readonly { readonly id: Id; readonly label: ComponentChildren }[];
  readonly chosen: Id;
  readonly onChoose: (id: Id) => void;
  /** Begins the ids of tabs and panels: several on one page. */
  readonly prefix?: string;
}

export function Tabs<Id extends string>({ label, tabs, chosen, onChoose, prefix = "tab" }: TabsProps<Id>) {
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const at = tabs.findIndex((each) => each.id === chosen);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = (next + tabs.length) % tabs.length;
    onChoose(tabs[index]!.id);
    (list.current?.children[index] as HTMLElement | undefined)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
      {tabs.map(({ id, label: words }) => (
        <button
          key={id}
          type="button"
          role="tab"
          id={`${prefix}-${id}`}
          aria-selected={id === chosen}
          aria-controls={id === chosen ? `${prefix}-panel` : undefined}
          tabIndex={id === chosen ? 0 : -1}
          onClick={() => onChoose(id)}
        >
          {words}
        </button>
      ))}
    </div>
  );
}

export function Panel({
  id,
  prefix = "tab",
  class: look,
  children,
}: {
  id: string;
  prefix?: string;
  class?: string;
  children: ComponentChildren;
}) {
  return (
    <div role="tabpanel" id={`${prefix}-panel`} class={look} aria-labelledby={`${prefix}-${id}`}>
      {children}
    </div>
  );
}

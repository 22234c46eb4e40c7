/** Keys that do something anywhere on the page. A view adds its own while it is shown. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

export interface Shortcut {
  /** As `KeyboardEvent.key` says, or two of them after each other: `g r`. */
  readonly keys: string;
  readonly label: string;
  readonly act: () => void;
}

export const shortcuts = signal<readonly Shortcut[]>([]);

export function useShortcuts(list: readonly Shortcut[], key = ""): void {
  useEffect(() => {
    shortcuts.value = [...shortcuts.value, ...list];
    return () => {
      shortcuts.value = shortcuts.value.filter((each) => !list.includes(each));
    };
  }, [key]);
}

export function startShortcuts(): void {
  let before = "";
  let timer = 0;
  document.addEventListener("keydown", (event) => {
    if (
      event.defaultPrevented ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      isTyping(event.target) ||
      document.querySelector("dialog[open]")
    )
      return;
    const pressed = before ? `${before} ${event.key}` : event.key;
    const found =
      shortcuts.value.find((each) => each.keys === pressed) ?? shortcuts.value.find((each) => each.keys === event.key);
    window.clearTimeout(timer);
    before = "";
    if (found) {
      event.preventDefault();
      found.act();
    } else if (event.key.length === 1) {
      before = event.key;
      timer = window.setTimeout(() => {
        before = "";
      }, 1_000);
    }
  });
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
    (target as HTMLInputElement).type !== "checkbox"
  );
}

/** What the page says of itself: once in sight, and to those who hear it. */
import { signal } from "@preact/signals";

export interface Word {
  readonly id: number;
  readonly text: string;
  readonly tone: "good" | "bad" | "idle";
}

export const words = signal<readonly Word[]>([]);
/** For those who hear the page, and nobody else: what changed by itself. */
export const heard = signal("");
let numbers = 0;

export function say(text: string, tone: Word["tone"] = "good"): void {
  const word = { id: ++numbers, text, tone };
  words.value = [...words.value.slice(-1), word]; // more would hide what they are about, on a phone
  window.setTimeout(() => unsay(word.id), tone === "bad" ? 15_000 : 7_000);
}

export function unsay(id: number): void {
  words.value = words.value.filter((each) => each.id !== id);
}

export function announce(text: string): void {
  heard.value = text;
}

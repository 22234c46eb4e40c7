/** Light or dark: as the system says, unless the reader has chosen. */
import { computed, effect, signal } from "@preact/signals";

export type Choice = "system" | "light" | "dark";
const KEY = "mlworkflow.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(system.matches);
system.addEventListener("change", (event) => {
  systemIsDark.value = event.matches;
});

export const choice = signal<Choice>(kept());
export const theme = computed<"light" | "dark">(() =>
  choice.value === "system" ? (systemIsDark.value ? "dark" : "light") : choice.value,
);

export function startTheme(): void {
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
  effect(() => {
    try {
      localStorage.setItem(KEY, choice.value);
    } catch {
      // A browser that keeps nothing still shows the page.
    }
  });
}

/** The value of a token in the theme of now, for what CSS does not reach (canvas, charts). */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function kept(): Choice {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

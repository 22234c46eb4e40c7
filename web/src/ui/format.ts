/** Numbers, sizes and times as people read them. Pure: the clock is a parameter. */

export function bytes(size: number | null | undefined): string {
  if (size === null || size === undefined) return "";
  if (size < 1024) return `${size} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = size / 1024;
  let unit = 0;
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** A length of time in ms: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 14 min`, `3 d 4 h`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "";
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** From start to end, or to now where there is no end. */
export function lasted(started: number | null, finished: number | null, now: number): string {
  return started === null ? "" : duration((finished ?? now) - started);
}

export function ago(time: number | null | undefined, now: number): string {
  if (time === null || time === undefined) return "";
  const seconds = Math.round((now - time) / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days < 60 ? `${days} d ago` : `${Math.floor(days / 30)} months ago`;
}

const CLOCK = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });

/** `2026-11-30 18:42:10`, in the reader's time zone. */
export function clock(time: number | null | undefined): string {
  return time === null || time === undefined ? "" : CLOCK.format(time);
}

/** Four significant digits; whole numbers stay whole. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return Math.abs(value) < 1e15 ? value.toLocaleString("en-US") : value.toExponential(3);
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(3) : String(Number(value.toPrecision(size >= 1000 ? 6 : 4)));
}

/** Any JSON value in one line, cut after `most` characters. */
export function inline(value: unknown, most = 120): string {
  const text =
    typeof value === "string" ? value : typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "");
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

export function shortDigest(digest: string): string {
  const [kind, hash] = digest.split(":");
  return hash ? `${kind}:${hash.slice(0, 12)}` : digest.slice(0, 19);
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}

/** `3/5` as a share from 0 to 1; null where it says nothing. */
export function share(progress: string): number | null {
  const [done, all] = progress.split("/").map(Number);
  return done === undefined || all === undefined || !all || Number.isNaN(done) ? null : done / all;
}

const UNSEEN = /(?![\t\n\r\u200c\u200d])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** A text of a user's with what would change how it is read made visible: control characters, and marks that turn the direction of writing. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (mark) => `⟨U+${mark.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

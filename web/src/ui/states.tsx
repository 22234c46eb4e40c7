/** Nothing there, not there yet, or why not: each says what to do next. */
import type { ComponentChildren } from "preact";
import type { Problem } from "../api/types";
import { Button } from "./button";
import { Icon, type IconName } from "./icons";

export function Empty({
  title,
  next,
  icon = "box",
  children,
}: {
  title: string;
  next?: ComponentChildren;
  icon?: IconName;
  children?: ComponentChildren;
}) {
  return (
    <div class="state">
      <span class="mark">
        <Icon name={icon} size={26} />
      </span>
      <h2>{title}</h2>
      {next && <p>{next}</p>}
      {children}
    </div>
  );
}

export function Loading({ label = "Loading" }: { label?: string }) {
  return (
    <div class="state" role="status">
      <span class="mark">
        <Icon name="spin" size={22} spin />
      </span>
      <p>{label}…</p>
    </div>
  );
}

export function Failure({ error, again, title }: { error: Problem; again?: () => void; title?: string }) {
  return (
    <div class="state bad" role="alert">
      <span class="mark">
        <Icon name="warn" size={26} />
      </span>
      <h2>
        {title ?? (error.status === 404 ? "Not found" : error.status === 403 ? "Not allowed" : "That did not work")}
      </h2>
      <p>{error.message}</p>
      {error.hint && <p class="muted">{error.hint}</p>}
      {again && (
        <Button icon="retry" onClick={again}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** What is wrong, and below it what to do. */
export function Said({ problem }: { problem: Problem }) {
  return (
    <>
      {problem.message}
      {problem.hint && <p class="hint">{problem.hint}</p>}
    </>
  );
}

export function Notice({
  tone = "idle",
  icon,
  children,
}: {
  tone?: "good" | "bad" | "busy" | "warn" | "idle";
  icon?: IconName;
  children: ComponentChildren;
}) {
  const drawing = icon ?? (tone === "bad" || tone === "warn" ? "warn" : tone === "good" ? "check" : "hand");
  return (
    <div class={`notice tone-${tone}`}>
      <Icon name={drawing} size={14} />
      <div class="grow">{children}</div>
    </div>
  );
}

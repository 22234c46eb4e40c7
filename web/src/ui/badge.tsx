/** A phase, or a word, with its colour and its drawing: the colour is never the only sign. */
import type { ComponentChildren } from "preact";
import type { RunPhase, TaskPhase } from "../api/types";
import { Icon, type IconName } from "./icons";

export type Tone = "good" | "bad" | "busy" | "warn" | "idle" | "gone";

export const PHASES: Readonly<Record<RunPhase | TaskPhase, { tone: Tone; icon: IconName }>> = {
  Pending: { tone: "idle", icon: "clock" },
  Running: { tone: "busy", icon: "spin" },
  Suspended: { tone: "warn", icon: "pause" },
  Succeeded: { tone: "good", icon: "check" },
  Failed: { tone: "bad", icon: "cross" },
  Skipped: { tone: "idle", icon: "skip" },
  Cancelled: { tone: "gone", icon: "ban" },
};
/** The order that people ask about them in. */
export const ORDER = ["Failed", "Running", "Suspended", "Pending", "Succeeded", "Skipped", "Cancelled"] as const;

export function Badge({
  tone = "idle",
  icon,
  spin,
  title,
  children,
}: {
  tone?: Tone;
  icon?: IconName;
  spin?: boolean;
  title?: string;
  children: ComponentChildren;
}) {
  return (
    <span class={`badge tone-${tone}`} title={title}>
      {icon && <Icon name={icon} size={12} spin={spin} />}
      {children}
    </span>
  );
}

export function Phase({ phase, waits = false }: { phase: RunPhase | TaskPhase; waits?: boolean }) {
  if (waits)
    return (
      <Badge tone="warn" icon="hand">
        Waits for you
      </Badge>
    );
  const { tone, icon } = PHASES[phase];
  return (
    <Badge tone={tone} icon={icon} spin={phase === "Running"}>
      {phase}
    </Badge>
  );
}

import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icons";

export interface ButtonProps {
  readonly kind?: "plain" | "primary" | "quiet" | "danger" | "danger primary";
  readonly icon?: IconName;
  /** What a button that shows its icon alone is called. */
  readonly label?: string;
  readonly href?: string;
  readonly type?: "button" | "submit";
  readonly disabled?: boolean;
  readonly pressed?: boolean;
  readonly expanded?: boolean;
  readonly title?: string;
  readonly download?: boolean;
  readonly class?: string;
  readonly children?: ComponentChildren;
  readonly onClick?: (event: MouseEvent) => void;
}

export function Button({
  kind = "plain",
  icon,
  label,
  href,
  type = "button",
  disabled,
  pressed,
  expanded,
  title,
  download,
  class: more = "",
  children,
  onClick,
}: ButtonProps) {
  const only = children === undefined;
  const look = `button ${kind === "plain" ? "" : kind} ${only ? "icon" : ""} ${more}`;
  const inner = (
    <>
      {icon && <Icon name={icon} size={only ? 16 : 14} />}
      {children}
    </>
  );
  if (href !== undefined)
    return (
      <a
        class={look}
        href={href}
        aria-label={label}
        title={title ?? (only ? label : undefined)}
        download={download}
        onClick={onClick}
      >
        {inner}
      </a>
    );
  return (
    <button
      type={type}
      class={look}
      disabled={disabled}
      aria-label={label}
      aria-pressed={pressed}
      aria-expanded={expanded}
      title={title ?? (only ? label : undefined)}
      onClick={onClick}
    >
      {inner}
    </button>
  );
}

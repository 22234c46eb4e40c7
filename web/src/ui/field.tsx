/** A named control with what helps and what is wrong: both are told with it, and are no part of its name. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

export interface Control {
  readonly id: string;
  readonly "aria-describedby": string | undefined;
  readonly "aria-invalid": boolean;
  readonly "aria-required": boolean;
}

interface FieldProps {
  readonly label: ComponentChildren;
  readonly needed?: boolean;
  readonly help?: ComponentChildren;
  readonly problem?: string;
  readonly control: (props: Control) => ComponentChildren;
}

export function Field({ label, needed = false, help, problem, control }: FieldProps) {
  const id = useId();
  const about = [help && `${id}-help`, problem && `${id}-wrong`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label class="label" for={id}>
        {label}
        {needed && <span aria-hidden="true"> *</span>}
      </label>
      {control({
        id,
        "aria-describedby": about || undefined,
        "aria-invalid": Boolean(problem),
        "aria-required": needed,
      })}
      {help && (
        <span class="help" id={`${id}-help`}>
          {help}
        </span>
      )}
      {problem && (
        <span class="wrong" role="alert" id={`${id}-wrong`}>
          {problem}
        </span>
      )}
    </div>
  );
}

/** A window over the page, of the browser's own kind: the focus stays inside, Escape closes it, and the focus goes back to where it was. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { asProblem } from "../api/client";
import type { Problem } from "../api/types";
import { Button } from "./button";
import { Notice, Said } from "./states";

export interface DialogProps {
  readonly title: ComponentChildren;
  readonly wide?: boolean;
  readonly footer?: ComponentChildren;
  readonly children?: ComponentChildren;
  readonly onClose: () => void;
  /** With it the window is a form. */
  readonly onSubmit?: () => void;
}

/** It is open as long as it is rendered. */
export function Dialog({ title, wide, footer, children, onClose, onSubmit }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const inner = (
    <>
      <header>
        <h2 id={id}>{title}</h2>
        <Button kind="quiet" icon="cross" label="Close" onClick={onClose} />
      </header>
      <div class="content">{children}</div>
      {footer && <footer>{footer}</footer>}
    </>
  );
  return (
    <dialog
      ref={element}
      class={`dialog ${wide ? "wide" : ""}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => event.target === element.current && onClose()}
    >
      {onSubmit ? (
        <form
          method="dialog"
          onSubmit={(event) => {
            event.preventDefault();
            onSubmit();
          }}
        >
          {inner}
        </form>
      ) : (
        <div>{inner}</div>
      )}
    </dialog>
  );
}

export interface ConfirmProps {
  readonly title: ComponentChildren;
  /** What the button says: the deed, never "OK". */
  readonly verb: string;
  readonly danger?: boolean;
  readonly disabled?: boolean;
  readonly children?: ComponentChildren;
  /** Rejects with why it was not done: shown in the window, which stays. */
  readonly onConfirm: () => Promise<unknown>;
  readonly onClose: () => void;
}

export function Confirm({ title, verb, danger, disabled, children, onConfirm, onClose }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Problem>();
  const confirm = async () => {
    if (busy || disabled) return;
    setBusy(true);
    setError(undefined);
    try {
      await onConfirm();
      onClose();
    } catch (failure) {
      setError(asProblem(failure));
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={title}
      onClose={onClose}
      onSubmit={() => void confirm()}
      footer={
        <>
          <Button onClick={onClose}>Back</Button>
          <Button type="submit" kind={danger ? "danger primary" : "primary"} disabled={busy || disabled}>
            {verb}
          </Button>
        </>
      }
    >
      {children}
      {error && (
        <div role="alert">
          <Notice tone="bad">
            <Said problem={error} />
          </Notice>
        </div>
      )}
    </Dialog>
  );
}

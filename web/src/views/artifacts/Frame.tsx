/**
 * A page that somebody else wrote. It comes from another origin and is sandboxed besides: its scripts may run, and reach neither this page, nor its cookies, nor
 * its API. Never put `allow-same-origin` here: where that other origin is this one, it would undo the sandbox.
 */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Button } from "../../ui/button";

export const SANDBOX = "allow-scripts";

interface Props {
  readonly url: string;
  /** When the address stops to be good, ms since the epoch. */
  readonly expires: number;
  readonly title: string;
  readonly again: () => void;
}

export function Frame({ url, expires, title, again }: Props) {
  const frame = useRef<HTMLIFrameElement>(null);
  const [isWide, setWide] = useState(false);
  useLayoutEffect(() => {
    if (!isWide) return;
    const close = (event: KeyboardEvent) => event.key === "Escape" && setWide(false);
    document.addEventListener("keydown", close);
    return () => document.removeEventListener("keydown", close);
  }, [isWide]);
  const reload = () => {
    if (Date.now() > expires) again();
    else if (frame.current) frame.current.src = url;
  };
  return (
    <div class={isWide ? "artifact-frame is-wide" : "artifact-frame"}>
      <div class="row artifact-frame-head">
        <p class="muted grow">Shown apart from this page: it can reach nothing here.</p>
        <Button icon="retry" kind="quiet" label="Load again" onClick={reload} />
        <Button icon={isWide ? "cross" : "fit"} onClick={() => setWide(!isWide)} pressed={isWide}>
          {isWide ? "Close" : "Whole window"}
        </Button>
      </div>
      <iframe ref={frame} src={url} sandbox={SANDBOX} title={`The page ${title}`} referrerpolicy="no-referrer" />
    </div>
  );
}

import { visible } from "../../ui/format";

/** Any JSON value, to be read. */
export function Json({ value, label }: { value: unknown; label: string }) {
  return (
    <pre class="code" role="region" tabIndex={0} aria-label={label}>
      {visible(JSON.stringify(value, null, 2) ?? "")}
    </pre>
  );
}

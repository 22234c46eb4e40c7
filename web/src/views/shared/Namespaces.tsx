/** A choice of namespace, where there is one. */
import { session } from "../../app/session";

export function Namespaces({ chosen, choose }: { chosen: string; choose: (namespace: string) => void }) {
  const known = session.value?.namespaces ?? [];
  if (known.length < 2) return null;
  return (
    <span class="row">
      <label class="muted" for="namespaces">
        Namespace
      </label>
      <select id="namespaces" class="input" value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
        {[...new Set([chosen, ...known])].map((namespace) => (
          <option key={namespace}>{namespace}</option>
        ))}
      </select>
    </span>
  );
}

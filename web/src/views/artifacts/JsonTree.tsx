/** JSON, opened level by level: what is closed is not in the document, so that large ones are no burden. */
import { useState } from "preact/hooks";
import { Copy } from "../../ui/yaml";
import { isNested, itemsOf, kindOf, MOST, sizeOf } from "./json";

export function JsonTree({ value, label }: { value: unknown; label: string }) {
  return (
    <div class="stack">
      <div>
        <Copy text={JSON.stringify(value, null, 2)} what={label} />
      </div>
      <div class="json mono">{isNested(value) ? <Level value={value} depth={0} /> : <Leaf value={value} />}</div>
    </div>
  );
}

function Level({ value, depth }: { value: object; depth: number }) {
  const [most, setMost] = useState(MOST);
  const items = itemsOf(value);
  return (
    <ul>
      {items.slice(0, most).map(({ key, value: inner }) => (
        <li key={key}>
          {isNested(inner) ? <Branch name={key} value={inner} depth={depth} /> : <Pair name={key} value={inner} />}
        </li>
      ))}
      {items.length > most && (
        <li>
          <button type="button" class="button quiet" onClick={() => setMost(most + MOST)}>
            {items.length - most} more
          </button>
        </li>
      )}
    </ul>
  );
}

/** Levels that are open to begin with. */
const OPEN = 2;
const FEW = 30;

function Branch({ name, value, depth }: { name: string; value: object; depth: number }) {
  const [isOpen, setOpen] = useState(depth < OPEN && Object.keys(value).length <= FEW);
  return (
    <details open={isOpen} onToggle={(event) => setOpen((event.currentTarget as HTMLDetailsElement).open)}>
      <summary>
        <span class="json-key">{name}</span> <span class="muted">{sizeOf(value)}</span>
      </summary>
      {isOpen && <Level value={value} depth={depth + 1} />}
    </details>
  );
}

function Pair({ name, value }: { name: string; value: unknown }) {
  return (
    <span class="json-pair">
      <span class="json-key">{name}</span>: <Leaf value={value} />
    </span>
  );
}

function Leaf({ value }: { value: unknown }) {
  return <span class={`json-${kindOf(value)}`}>{JSON.stringify(value)}</span>;
}

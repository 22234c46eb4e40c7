/** The members of a directory as a tree; each leads to its own preview. */
import { useMemo, useState } from "preact/hooks";
import { asProblem } from "../../api/client";
import type { DirectoryPreview, Problem } from "../../api/types";
import { to } from "../../app/router";
import { bytes, plural, visible } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { Empty, Notice } from "../../ui/states";
import type { Which } from "./PreviewPanel";
import { type Branch, treeOf } from "./tree";

interface Props {
  readonly first: DirectoryPreview;
  readonly which: Which;
  readonly more: (offset: number) => Promise<DirectoryPreview>;
}

export function Directory({ first, which, more }: Props) {
  const [entries, setEntries] = useState(first.entries);
  const [problem, setProblem] = useState<Problem>();
  const tree = useMemo(() => treeOf(entries), [entries]);
  const next = () =>
    more(entries.length).then(
      (page) => setEntries([...entries, ...page.entries]),
      (error: unknown) => setProblem(asProblem(error)),
    );
  if (first.total === 0) return <Empty title="An empty directory" />;
  return (
    <div class="stack">
      <p class="muted artifact-words">{plural(first.total, "member")}</p>
      <Level branches={tree} which={which} depth={0} />
      {problem && <Notice tone="bad">{problem.message}</Notice>}
      {entries.length < first.total && (
        <div>
          <button type="button" class="button" onClick={() => void next()}>
            Show more: {entries.length} of {first.total}
          </button>
        </div>
      )}
    </div>
  );
}

function Level({ branches, which, depth }: { branches: readonly Branch[]; which: Which; depth: number }) {
  return (
    <ul class="tree">
      {branches.map((branch) => (
        <li key={branch.path}>
          <Member branch={branch} which={which} depth={depth} />
        </li>
      ))}
    </ul>
  );
}

/** Folders that are open to begin with. */
const OPEN = 2;
const FEW = 50;

function Member({ branch, which, depth }: { branch: Branch; which: Which; depth: number }) {
  const [isOpen, setOpen] = useState(depth < OPEN && branch.children.length <= FEW);
  const { namespace, run, digest, name, type } = which;
  if (branch.type === "directory")
    return (
      <details open={isOpen} onToggle={(event) => setOpen((event.currentTarget as HTMLDetailsElement).open)}>
        <summary>
          <Icon name="box" />
          <bdi class="grow clip">{visible(branch.name)}/</bdi>
          <span class="muted num">{plural(branch.children.length, "member")}</span>
        </summary>
        {isOpen && <Level branches={branch.children} which={which} depth={depth + 1} />}
      </details>
    );
  if (branch.type === "link")
    return (
      <span class="tree-link">
        <Icon name="right" />
        <bdi class="grow clip">
          {visible(branch.name)} → {visible(branch.target)}
        </bdi>
        <span class="muted">link</span>
      </span>
    );
  const path = which.path ? `${which.path}/${branch.path}` : branch.path;
  return (
    <a class="tree-file" href={to("artifacts", { namespace, run, digest, name, type, path })}>
      <Icon name="file" />
      <bdi class="grow clip">{visible(branch.name)}</bdi>
      <span class="muted num">{bytes(branch.size)}</span>
    </a>
  );
}

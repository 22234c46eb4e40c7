/** The members of a directory, told as a flat list, as a tree of folders. Pure. */
import type { Entry } from "../../api/types";

export interface Branch {
  /** The last part of its path. */
  readonly name: string;
  readonly path: string;
  readonly type: Entry["type"];
  /** Of a folder: of everything in it that is known. */
  readonly size: number;
  readonly target: string;
  readonly children: readonly Branch[];
}

interface Growing {
  name: string;
  path: string;
  type: Entry["type"];
  size: number;
  target: string;
  children: Map<string, Growing>;
}

/** Folders before files, each by name; a folder that nobody lists is there because something is in it. */
export function treeOf(entries: readonly Entry[]): Branch[] {
  const root = folder("", "");
  for (const entry of entries) {
    const parts = entry.path.split("/").filter((part) => part !== "");
    let at = root;
    parts.forEach((part, index) => {
      const isLast = index === parts.length - 1;
      let next = at.children.get(part);
      if (!next) {
        next = folder(part, parts.slice(0, index + 1).join("/"));
        at.children.set(part, next);
      }
      if (isLast) Object.assign(next, { type: entry.type, size: entry.size, target: entry.target });
      at = next;
    });
  }
  return grown(root).children as Branch[];
}

function folder(name: string, path: string): Growing {
  return { name, path, type: "directory", size: 0, target: "", children: new Map() };
}

function grown(at: Growing): Branch {
  const children = [...at.children.values()].map(grown).sort(inOrder);
  const isFolder = at.type === "directory";
  const size = isFolder ? children.reduce((sum, child) => sum + child.size, 0) : at.size;
  return { name: at.name, path: at.path, type: at.type, size, target: at.target, children };
}

function inOrder(one: Branch, other: Branch): number {
  const rank = (branch: Branch) => (branch.type === "directory" ? 0 : 1);
  return rank(one) - rank(other) || (one.name < other.name ? -1 : 1);
}

/** One artifact, or a member of one: what it is called, where it leads, and what is in it. */
import { useState } from "preact/hooks";
import { get } from "../../api/client";
import type { DirectoryPreview, Preview, TablePreview, TextPreview } from "../../api/types";
import { to } from "../../app/router";
import { mayIn } from "../../app/session";
import { Button } from "../../ui/button";
import { bytes, shortDigest, visible } from "../../ui/format";
import { useResource } from "../../ui/resource";
import { Empty, Failure, Loading } from "../../ui/states";
import { Copy } from "../../ui/yaml";
import { PromoteLeft } from "../models/PromoteLeft";
import { Directory } from "./Directory";
import { Frame } from "./Frame";
import { JsonTree } from "./JsonTree";
import { TableOf } from "./TableOf";
import { Text } from "./Text";

export interface Which {
  readonly namespace: string;
  readonly run: string;
  readonly digest: string;
  /** `train.model`. */
  readonly name: string;
  readonly type: string;
  /** Of a member; empty for the whole. */
  readonly path: string;
}

/** Asks for an artifact's preview, from a row or line on. */
export type More = (offset: number, signal?: AbortSignal) => Promise<Preview>;

const ROWS = 100;

export function PreviewPanel(which: Which) {
  const { namespace, run, digest, name, type, path } = which;
  const more: More = (offset, signal) =>
    get<Preview>("artifact", { namespace, run, digest, name, type, path, offset, limit: ROWS }, signal);
  const preview = useResource(`${digest} ${path} ${name} ${type}`, (signal) => more(0, signal));
  const [isPromoting, setPromoting] = useState(false);
  const [task, output] = [name.slice(0, name.lastIndexOf(".")), name.slice(name.lastIndexOf(".") + 1)];
  const isModel = run !== "" && task !== "" && output === "model" && path === "";
  const parts = path.split("/").filter(Boolean);
  return (
    <section class="card artifact-panel" aria-label={`Preview of ${path || name}`}>
      <header class="artifact-head">
        <div class="grow">
          <h2 class="artifact-name">
            <a href={to("artifacts", { namespace, run, digest, name, type })}>
              <bdi>{name || shortDigest(digest)}</bdi>
            </a>
            {parts.map((part, at) => (
              <span key={at}>
                {" / "}
                <bdi class={at === parts.length - 1 ? undefined : "muted"}>{visible(part)}</bdi>
              </span>
            ))}
          </h2>
          <p class="muted row wrap artifact-facts">
            <code title={digest}>{shortDigest(digest)}</code>
            <Copy text={digest} what="digest" />
            {preview.data && <span>{bytes(preview.data.size)}</span>}
          </p>
        </div>
        <div class="row wrap">
          {isModel && mayIn(namespace, "promote") && (
            <Button icon="up" onClick={() => setPromoting(true)}>
              Promote
            </Button>
          )}
          <Button icon="branch" href={to("lineage", { namespace, run, digest })}>
            Lineage
          </Button>
          {preview.data && (
            <Button icon="download" href={preview.data.download} download>
              Download
            </Button>
          )}
        </div>
      </header>
      {isPromoting && (
        <PromoteLeft namespace={namespace} run={run} task={task} output={output} onClose={() => setPromoting(false)} />
      )}
      <div class="artifact-body">
        {preview.data ? (
          <Body preview={preview.data} which={which} more={more} again={preview.reload} />
        ) : preview.error ? (
          <Failure error={preview.error} again={preview.reload} />
        ) : (
          <Loading label="Looking into it" />
        )}
      </div>
    </section>
  );
}

function Body({ preview, which, more, again }: { preview: Preview; which: Which; more: More; again: () => void }) {
  const { body } = preview;
  switch (body.kind) {
    case "table":
      return <TableOf first={body} more={(offset) => more(offset).then((next) => next.body as TablePreview)} />;
    case "image":
      return (
        <figure class="artifact-picture">
          <img src={body.url} alt={which.path || which.name} />
        </figure>
      );
    case "html":
      return <Frame url={body.url} expires={body.expires} title={which.path || which.name} again={again} />;
    case "json":
      return <JsonTree value={body.value} label={which.path || which.name} />;
    case "text":
      return (
        <Text
          first={body}
          more={(offset) => more(offset).then((next) => next.body as TextPreview)}
          label={which.path || which.name}
        />
      );
    case "directory":
      return (
        <Directory
          first={body}
          which={which}
          more={(offset) => more(offset).then((next) => next.body as DirectoryPreview)}
        />
      );
    case "binary":
      return <Binary why={body.why} head={body.head} />;
  }
}

function Binary({ why, head }: { why: string; head: string }) {
  const [isShown, show] = useState(false);
  const rows = head.match(/.{1,32}/g) ?? [];
  return (
    <Empty title="No preview" next={`${why.charAt(0).toUpperCase()}${why.slice(1)}.`.replace("..", ".")} icon="file">
      {head && (
        <button type="button" class="button" aria-expanded={isShown} onClick={() => show(!isShown)}>
          Its first bytes
        </button>
      )}
      {isShown && (
        <pre class="code artifact-bytes" tabIndex={0}>
          {rows.map((row) => row.replace(/../g, "$& ")).join("\n")}
        </pre>
      )}
    </Empty>
  );
}

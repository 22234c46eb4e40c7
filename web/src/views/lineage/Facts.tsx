/** What is known of one node of a lineage, and the ways on from it. */
import { to } from "../../app/router";
import { Button } from "../../ui/button";
import { bytes, inline, number } from "../../ui/format";
import { Copy } from "../../ui/yaml";
import { around, type LineageGraph, type LineageNode } from "./graph";

interface Props {
  readonly graph: LineageGraph;
  readonly node: LineageNode;
  readonly namespace: string;
  readonly choose: (id: string) => void;
}

export function Facts({ graph, node, namespace, choose }: Props) {
  const { from, to: on } = around(graph, node.id);
  return (
    <aside class="card lineage-facts" aria-label="The chosen one" aria-live="polite">
      <div>
        <p class="muted">
          {node.step
            ? `Step of the kind ${node.step.kind}`
            : node.artifact?.isOutside
              ? "Artifact from outside"
              : "Artifact"}
        </p>
        <h2>
          <bdi>{node.title}</bdi>
        </h2>
      </div>
      {node.artifact && <OfArtifact graph={graph} node={node} namespace={namespace} />}
      {node.step && <OfStep node={node} namespace={namespace} />}
      <Ways heading={node.step ? "Used" : "Made by"} nodes={from} choose={choose} />
      <Ways heading={node.step ? "Made" : "Used by"} nodes={on} choose={choose} />
    </aside>
  );
}

function OfArtifact({ graph, node, namespace }: Pick<Props, "graph" | "node" | "namespace">) {
  const artifact = node.artifact;
  if (!artifact) return null;
  const { from, to: on } = around(graph, node.id);
  const run = [...from, ...on].find((one) => one.step)?.step?.uid ?? "";
  return (
    <>
      <dl class="facts">
        <dt>Digest</dt>
        <dd>
          <code>{artifact.digest}</code> <Copy text={artifact.digest} what="digest" />
        </dd>
        <dt>Size</dt>
        <dd>
          {bytes(artifact.size)} {artifact.type}
        </dd>
      </dl>
      <div class="row wrap">
        <Button
          icon="file"
          href={to("artifacts", { namespace, run, digest: artifact.digest, name: artifact.name, type: artifact.type })}
        >
          Look at it
        </Button>
        {!node.isSubject && (
          <Button icon="branch" href={to("lineage", { namespace, digest: artifact.digest })}>
            Its lineage
          </Button>
        )}
      </div>
    </>
  );
}

function OfStep({ node, namespace }: Pick<Props, "node" | "namespace">) {
  const step = node.step;
  if (!step) return null;
  const said = { ...step.parameters, ...step.metrics };
  return (
    <>
      <dl class="facts">
        <dt>Run</dt>
        <dd>
          <a href={to("run", { namespace, run: step.uid })}>
            <bdi>{step.run}</bdi>
          </a>
          , attempt {step.attempt}
        </dd>
        {step.image && (
          <>
            <dt>Image</dt>
            <dd>{step.image}</dd>
          </>
        )}
        {step.cachedFrom && (
          <>
            <dt>Result of</dt>
            <dd>{step.cachedFrom}</dd>
          </>
        )}
        {Object.entries(step.params).map(([name, value]) => (
          <>
            <dt key={`p ${name}`}>{name}</dt>
            <dd>
              <code>{inline(value)}</code>
            </dd>
          </>
        ))}
        {Object.entries(said).map(([name, value]) => (
          <>
            <dt key={`m ${name}`}>{name}</dt>
            <dd class="num">{typeof value === "number" ? number(value) : inline(value)}</dd>
          </>
        ))}
      </dl>
      <div>
        <Button icon="runs" href={to("run", { namespace, run: step.uid, task: step.task })}>
          Go to the task
        </Button>
      </div>
    </>
  );
}

function Ways({
  heading,
  nodes,
  choose,
}: {
  heading: string;
  nodes: readonly LineageNode[];
  choose: (id: string) => void;
}) {
  if (nodes.length === 0) return null;
  return (
    <div>
      <h3>{heading}</h3>
      <ul>
        {nodes.map((one) => (
          <li key={one.id}>
            <button type="button" class="lineage-name" onClick={() => choose(one.id)}>
              <bdi>{one.title}</bdi>
            </button>{" "}
            <span class="muted">{one.subtitle}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

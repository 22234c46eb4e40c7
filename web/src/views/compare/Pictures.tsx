/** Pictures that runs have left under the same name, beside each other. */
import { get } from "../../api/client";
import type { Artifact, ArtifactsPage, Comparison, Preview } from "../../api/types";
import { to } from "../../app/router";
import { useResource } from "../../ui/resource";
import { picturesOf } from "./rows";

const MOST = 12;

interface Shown {
  readonly artifact: Artifact;
  readonly url: string;
}

export function Pictures({ comparison, names }: { comparison: Comparison; names: readonly string[] }) {
  const { runs } = comparison;
  const found = useResource(runs.map((run) => run.uid).join(), async (signal) => {
    const left = await Promise.all(
      runs.map(({ namespace, id }) =>
        get<ArtifactsPage>("run/artifacts", { namespace, run: id, limit: 500 }, signal).then((page) => page.rows),
      ),
    );
    const rows = picturesOf(left).slice(0, MOST);
    const shown = await Promise.all(
      rows.map(async ({ where, artifacts }) => ({
        where,
        shown: await Promise.all(artifacts.map((artifact, at) => look(artifact, at, signal))),
      })),
    );
    return shown.filter((row) => row.shown.some(Boolean));
  });
  const look = async (artifact: Artifact | null, at: number, signal: AbortSignal): Promise<Shown | null> => {
    const run = runs[at];
    if (!artifact || !run) return null;
    const query = {
      namespace: run.namespace,
      run: run.id,
      digest: artifact.digest,
      name: `${artifact.task}.${artifact.name}`,
      type: artifact.type,
    };
    const { body } = await get<Preview>("artifact", query, signal);
    return body.kind === "image" ? { artifact, url: body.url } : null;
  };
  if (!found.data?.length) return null;
  return (
    <section class="stack" aria-labelledby="compare-pictures">
      <h2 id="compare-pictures">Pictures</h2>
      {found.data.map(({ where, shown }) => (
        <div key={where} class="card compare-pictures">
          <h3>
            <bdi>{where}</bdi>
          </h3>
          <div class="compare-row">
            {shown.map((one, at) => (
              <figure key={at}>
                {one ? (
                  <a
                    href={to("artifacts", {
                      namespace: runs[at]?.namespace,
                      run: runs[at]?.id,
                      digest: one.artifact.digest,
                      name: where,
                      type: one.artifact.type,
                    })}
                  >
                    <img src={one.url} alt={`${where} of ${names[at]}`} loading="lazy" />
                  </a>
                ) : (
                  <p class="muted">none</p>
                )}
                <figcaption class="muted">
                  <span class={`compare-mark compare-mark-${at + 1}`} aria-hidden="true" /> <bdi>{names[at]}</bdi>
                </figcaption>
              </figure>
            ))}
          </div>
        </div>
      ))}
    </section>
  );
}

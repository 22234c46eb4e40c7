/** What is wrong with a workflow, or will surprise: each leads to its line. */
import type { Finding, LintAnswer } from "../../api/types";
import { plural } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { Notice } from "../../ui/states";

interface Props {
  readonly lint: LintAnswer | undefined;
  readonly findings: readonly Finding[];
  readonly go: (line: number) => void;
}

export function Findings({ lint, findings, go }: Props) {
  const errors = findings.filter((finding) => finding.severity === "error").length;
  return (
    <section aria-label="What the check says" class="stack submit-findings">
      <div role="status">
        {!lint ? (
          <Notice>Checking…</Notice>
        ) : errors > 0 || !lint.isSound ? (
          <Notice tone="bad">
            {errors > 0 ? `${plural(errors, "mistake")}: it would be refused.` : "It would be refused."}
          </Notice>
        ) : lint.workflows.length !== 1 ? (
          <Notice tone="warn">
            {lint.workflows.length === 0
              ? "There is no workflow in it."
              : "There is more than one workflow in it: start one at a time."}
          </Notice>
        ) : (
          <Notice tone="good">
            <bdi>{lint.workflows[0]}</bdi> is sound.
          </Notice>
        )}
      </div>
      {findings.length > 0 && (
        <ul class="submit-list">
          {findings.map((finding, at) => (
            <li key={at}>
              <button
                type="button"
                onClick={() => go(finding.line)}
                class={finding.severity === "error" ? "is-error" : "is-warning"}
              >
                <Icon name="warn" size={14} />
                <span>
                  <span class="muted">
                    Line {finding.line}
                    {finding.path && ", "}
                    <bdi>{finding.path}</bdi>
                  </span>
                  <br />
                  {finding.message}
                </span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

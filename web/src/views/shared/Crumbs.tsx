/** The way down to where the reader is: names of users' things, each in its own direction. */
import { to } from "../../app/router";
import { Icon } from "../../ui/icons";

/** Parts without an address are where the reader is. */
export function Crumbs({ parts }: { parts: readonly (readonly [string, string?])[] }) {
  return (
    <nav aria-label="Where this is">
      <ol class="crumbs">
        <li>
          <a href={to("runs")}>Runs</a>
        </li>
        {parts.map(([words, href]) => (
          <li key={words}>
            <Icon name="right" size={10} />
            {href ? (
              <a class="clip" href={href}>
                <bdi>{words}</bdi>
              </a>
            ) : (
              <span aria-current="page">{words}</span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

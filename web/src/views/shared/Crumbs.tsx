/** The way down to where the reader is: names of users' things, each in its own direction. */
import { to } from "../../app/router";
import { Icon } from "../../ui/icons";

interface Props {
  /** Those without an address are where the reader is. */
  readonly parts: readonly (readonly [string, string?])[];
  /** What they are all below. */
  readonly root?: readonly [string, string];
}

export function Crumbs({ parts, root = ["Runs", to("runs")] }: Props) {
  return (
    <nav aria-label="Where this is">
      <ol class="crumbs">
        <li>
          <a href={root[1]}>{root[0]}</a>
        </li>
        {parts.map(([words, href]) => (
          <li key={words}>
            <Icon name="right" size={10} />
            {href ? (
              <a class="clip" href={href}>
                <bdi>{words}</bdi>
              </a>
            ) : (
              <span aria-current="page">
                <bdi>{words}</bdi>
              </span>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

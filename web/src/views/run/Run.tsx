import type { ViewProps } from "../../app/view";
import { Empty } from "../../ui/states";

export default function Run({ query }: ViewProps) {
  return <Empty title={query.run ?? ""} />;
}

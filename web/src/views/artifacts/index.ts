import type { View } from "../../app/view";

export const view: View = {
  path: "artifacts",
  title: "Artifacts",
  within: "runs",
  load: () => import("./Artifacts"),
};
/** One artifact by its digest, wherever it is mentioned. */
export const one: View = { ...view, path: "artifact", title: "Artifact" };

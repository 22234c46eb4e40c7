import type { View } from "../../app/view";

export const view: View = { path: "lineage", title: "Lineage", within: "runs", load: () => import("./Lineage") };

import type { View } from "../../app/view";

export const view: View = { path: "study", title: "Study", within: "runs", load: () => import("./Study") };

import type { View } from "../../app/view";

export const view: View = { path: "run", title: "Run", within: "runs", load: () => import("./Run") };

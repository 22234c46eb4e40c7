import type { View } from "../../app/view";

export const view: View = {
  path: "runs",
  title: "Runs",
  nav: { label: "Runs", icon: "runs", order: 10 },
  load: () => import("./Runs"),
};

import type { View } from "../../app/view";

export const view: View = {
  path: "datasets",
  title: "Datasets",
  nav: { label: "Datasets", icon: "data", order: 50 },
  load: () => import("./Datasets"),
};

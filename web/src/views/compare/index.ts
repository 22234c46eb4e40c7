import type { View } from "../../app/view";

export const view: View = {
  path: "compare",
  title: "Compare",
  nav: { label: "Compare", icon: "compare", order: 30 },
  load: () => import("./Compare"),
};

import type { View } from "../../app/view";

export const view: View = {
  path: "models",
  title: "Models",
  nav: { label: "Models", icon: "box", order: 40 },
  load: () => import("./Models"),
};

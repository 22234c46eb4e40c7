import type { View } from "../../app/view";

export const view: View = {
  path: "submit",
  title: "New run",
  nav: { label: "New run", icon: "plus", order: 20 },
  load: () => import("./Submit"),
};

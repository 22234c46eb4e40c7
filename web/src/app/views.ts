/** Every view: one folder below `views/`, one line here. */
import { one as artifact, view as artifacts } from "../views/artifacts";
import { view as compare } from "../views/compare";
import { view as datasets } from "../views/datasets";
import { view as lineage } from "../views/lineage";
import { view as models } from "../views/models";
import { view as run } from "../views/run";
import { view as runs } from "../views/runs";
import { view as study } from "../views/study";
import { view as submit } from "../views/submit";
import type { View } from "./view";

export const VIEWS: readonly View[] = [
  runs,
  run,
  study,
  artifacts,
  artifact,
  lineage,
  compare,
  models,
  datasets,
  submit,
];
export const HOME = "runs";

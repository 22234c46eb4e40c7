/** Every view: one folder below `views/`, one line here. */
import { view as run } from "../views/run";
import { view as runs } from "../views/runs";
import type { View } from "./view";

export const VIEWS: readonly View[] = [runs, run];
export const HOME = "runs";

import type { ComponentType } from "preact";
import type { IconName } from "../ui/icons";

export interface ViewProps {
  /** The parameters of the address. */
  readonly query: Readonly<Record<string, string>>;
}

export interface View {
  /** The first part of the address: `#/runs`. */
  readonly path: string;
  readonly title: string;
  /** An entry of the navigation; without one the view is reached from others. */
  readonly nav?: { readonly label: string; readonly icon: IconName; readonly order: number };
  /** The entry that is marked while this view is shown: the path of another. */
  readonly within?: string;
  readonly load: () => Promise<{ default: ComponentType<ViewProps> }>;
}

import { render } from "preact";
import { startRouter } from "./app/router";
import { startSession } from "./app/session";
import { Shell } from "./app/shell";
import { startShortcuts } from "./app/shortcuts";
import { startTheme } from "./app/theme";
import "./ui/tokens.css";
import "./ui/base.css";
import "./app/shell.css";

startTheme();
startRouter();
startShortcuts();
void startSession();
render(<Shell />, document.getElementById("app")!);

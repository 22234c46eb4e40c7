/** The frame of every view: navigation, who looks at what, how fresh it is, what the page says, and what keys there are. */
import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { asProblem } from "../api/client";
import type { Problem } from "../api/types";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { duration } from "../ui/format";
import { Icon } from "../ui/icons";
import { Empty, Failure, Loading } from "../ui/states";
import { freshness, staleSince } from "./live";
import { go, place, to } from "./router";
import { heard, unsay, words } from "./say";
import { now, renewSession, session, sessionProblem, signOut } from "./session";
import { shortcuts, useShortcuts } from "./shortcuts";
import { SignIn } from "./signin";
import { choice } from "./theme";
import type { View, ViewProps } from "./view";
import { HOME, VIEWS } from "./views";

const NAVIGATION = VIEWS.filter((view) => view.nav).toSorted((a, b) => a.nav!.order - b.nav!.order);

export function Shell() {
  const [isOpen, setOpen] = useState(false);
  const [keys, setKeys] = useState(false);
  const page = useRef<HTMLElement>(null);
  const path = place.value.path || HOME;
  const view = VIEWS.find((each) => each.path === path);
  const first = useRef(true);

  useShortcuts([
    { keys: "?", label: "Show these keys", act: () => setKeys(true) },
    ...NAVIGATION.map((each) => ({
      keys: `g ${each.path[0]}`,
      label: `Go to ${each.nav!.label}`,
      act: () => go(each.path),
    })),
  ]);
  useEffect(() => {
    document.title = view ? `${view.title} · MLWorkflow` : "MLWorkflow";
    setOpen(false);
    if (!first.current) page.current?.focus();
    first.current = false;
  }, [path]);

  if (sessionProblem.value?.status === 401) return <SignIn />;
  return (
    <>
      <button type="button" class="skip" onClick={() => page.current?.focus()}>
        Skip to the content
      </button>
      <div class="shell" onKeyDown={(event) => event.key === "Escape" && isOpen && setOpen(false)}>
        <header class="top">
          <Button kind="quiet" icon="menu" label="Navigation" expanded={isOpen} onClick={() => setOpen(!isOpen)} />
          <Brand />
          <Live />
        </header>
        {isOpen && <div class="veil" aria-hidden="true" onClick={() => setOpen(false)} />}
        <div class={`side ${isOpen ? "is-open" : ""}`}>
          <Brand />
          <Navigation current={view?.within ?? path} />
          <div class="foot">
            <div class="who">
              <Live />
              {session.value && (
                <>
                  <span class="clip from-end" title={session.value.user}>
                    <bdi>{session.value.user}</bdi>
                  </span>
                  <span class="clip from-end" title={session.value.place}>
                    <bdi>{session.value.place}</bdi>
                  </span>
                </>
              )}
            </div>
            <div class="tools">
              <Theme />
              {session.value?.mode === "team" && (
                <Button kind="quiet" icon="leave" label="Sign out" onClick={() => void signOut()} />
              )}
              <Button kind="quiet" icon="keys" label="Keys" onClick={() => setKeys(true)} />
            </div>
          </div>
        </div>
        <main class="page" id="page" tabIndex={-1} ref={page}>
          {sessionProblem.value ? (
            <Failure error={sessionProblem.value} again={() => void renewSession()} />
          ) : !session.value ? (
            <Loading label="Connecting" />
          ) : view ? (
            <Shown key={path} view={view} query={place.value.query} />
          ) : (
            <Empty title="There is no such page" next={<a href={to(HOME)}>Go to the runs</a>} />
          )}
        </main>
      </div>
      <div class="words" role="log" aria-label="Messages">
        {words.value.map((word) => (
          <div key={word.id} class={`notice tone-${word.tone}`}>
            <Icon name={word.tone === "bad" ? "warn" : "check"} />
            <span class="grow">{word.text}</span>
            <Button kind="quiet" icon="cross" label="Dismiss" onClick={() => unsay(word.id)} />
          </div>
        ))}
      </div>
      <p class="unseen" role="status">
        {heard.value}
      </p>
      {keys && <Keys onClose={() => setKeys(false)} />}
    </>
  );
}

function Brand() {
  return (
    <a class="brand" href={to(HOME)}>
      <img src="./icon.svg" alt="" />
      MLWorkflow
    </a>
  );
}

function Navigation({ current }: { current: string }) {
  return (
    <nav aria-label="Views">
      <ul>
        {NAVIGATION.map(({ path, nav }) => (
          <li key={path}>
            <a href={to(path)} aria-current={path === current ? "page" : undefined}>
              <Icon name={nav!.icon} />
              {nav!.label}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Live() {
  const state = freshness.value;
  if (state === "idle" || state === "ended") return null;
  const words = {
    live: "Live",
    connecting: "Connecting…",
    stale: `Not up to date for ${duration(Math.max(0, now.value - staleSince.value))}`,
  }[state];
  return (
    <span
      class={`live is-${state}`}
      title={state === "stale" ? "The server does not answer. The page tries again by itself." : undefined}
    >
      {words}
    </span>
  );
}

function Theme() {
  const next = { system: "light", light: "dark", dark: "system" } as const;
  const look = { system: ["screen", "as the system"], light: ["sun", "light"], dark: ["moon", "dark"] } as const;
  const [icon, word] = look[choice.value];
  return (
    <Button kind="quiet" icon={icon} label={`Theme: ${word}`} onClick={() => (choice.value = next[choice.value])} />
  );
}

function Keys({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {shortcuts.value.map(({ keys, label }) => (
          <>
            <dt key={keys}>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{label}</dd>
          </>
        ))}
        <dt>
          <kbd>↑</kbd>
          <kbd>↓</kbd>
        </dt>
        <dd>Move in a table, Enter opens, the space bar chooses</dd>
        <dt>
          <kbd>←</kbd>
          <kbd>→</kbd>
        </dt>
        <dd>In a graph: along what steps wait for</dd>
      </dl>
    </Dialog>
  );
}

/** A view's code is loaded when it is first shown. */
function Shown({ view, query }: { view: View } & ViewProps) {
  const [loaded, set] = useState<{ component?: ComponentType<ViewProps>; error?: Problem }>({});
  useEffect(() => {
    view.load().then(
      (found) => set({ component: found.default }),
      (error: unknown) =>
        set({
          error: {
            ...asProblem(error),
            message: "This part of the page could not be loaded.",
            hint: "Reload the page: the server may be a newer one.",
          },
        }),
    );
  }, [view]);
  if (loaded.error) return <Failure error={loaded.error} again={() => location.reload()} />;
  const Component = loaded.component;
  return Component ? <Component query={query} /> : <Loading />;
}

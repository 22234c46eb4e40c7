/** Who looks, at what, and what they may do; and the one clock of the page. */
import { signal } from "@preact/signals";
import { asProblem, get, post, useSession } from "../api/client";
import type { Problem, Rights, Session, Verb } from "../api/types";

export const session = signal<Session | null>(null);
export const sessionProblem = signal<Problem | null>(null);
/** Ticks each second: what says "5 s ago" reads it. */
export const now = signal(Date.now());

const rights = signal<Readonly<Record<string, Rights>>>({});

export async function startSession(): Promise<void> {
  window.setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, 1000);
  await renewSession();
}

export async function renewSession(): Promise<void> {
  sessionProblem.value = null;
  try {
    const found = await get<Session>("session");
    useSession(found);
    session.value = found;
    rights.value = { [found.rights.namespace]: found.rights };
  } catch (error) {
    sessionProblem.value = asProblem(error);
  }
}

/** The page is loaded anew, so that nothing of this session stays in it. */
export async function signOut(): Promise<void> {
  try {
    await post("sign-out", {});
  } finally {
    location.reload();
  }
}

/** What the user may do in a namespace, as far as is known: asked for when it is first read. */
export function mayIn(namespace: string, verb: Verb): boolean {
  const known = rights.value[namespace];
  if (known) return known.may.includes(verb);
  rights.value = { ...rights.peek(), [namespace]: { namespace, may: [], why: "" } };
  get<Rights>("rights", { namespace }).then(
    (found) => {
      rights.value = { ...rights.peek(), [namespace]: found };
    },
    () => undefined, // buttons stay away; what needs them says why when it is asked
  );
  return false;
}

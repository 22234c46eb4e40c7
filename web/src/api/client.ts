/**
 * What the page asks of its server. Every refusal is a `Failed` with the server's own words and what to do next; an answer that the page has asked for and
 * no longer needs is thrown away (`AbortSignal`).
 */
import type { Problem, Session } from "./types";

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined | null>>;

const BASE = new URL("api/v1/", document.baseURI);
const CSRF = "X-Mlwf-Csrf";

/** The session that POSTs are made in: set once by the shell. */
let session: Session | null = null;

export function useSession(of: Session | null): void {
  session = of;
}

export class Failed extends Error {
  override readonly name = "Failed";
  constructor(readonly problem: Problem) {
    super(problem.message);
  }
  get status(): number {
    return this.problem.status;
  }
  get hint(): string {
    return this.problem.hint;
  }
}

/** The address of something on the server: for a download, a picture, a stream of events. */
export function address(path: string, query: Query = {}): string {
  const url = new URL(path.replace(/^\//, ""), BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "" || value === false) continue;
    for (const each of Array.isArray(value) ? value : [value])
      url.searchParams.append(name, value === true ? "1" : String(each));
  }
  return url.href;
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return (await (await asked(path, query, { signal })).json()) as T;
}

export async function getText(
  path: string,
  query: Query = {},
  signal?: AbortSignal,
): Promise<{ text: string; isTruncated: boolean }> {
  const response = await asked(path, query, { signal, headers: { Accept: "text/plain" } });
  return { text: await response.text(), isTruncated: response.headers.get("X-Mlwf-Truncated") === "true" };
}

export async function post<T>(path: string, body: object): Promise<T> {
  const headers = { "Content-Type": "application/json", [CSRF]: session?.csrf ?? "" };
  return (await (await asked(path, {}, { method: "POST", headers, body: JSON.stringify(body) })).json()) as T;
}

async function asked(path: string, query: Query, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address(path, query), {
      credentials: "same-origin",
      ...init,
      headers: { Accept: "application/json", ...init.headers },
    });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Failed(
      problem(
        0,
        "The server of this page does not answer.",
        "Is `mlwf ui` still running? The page tries again by itself.",
      ),
    );
  }
  if (response.ok) return response;
  throw new Failed(await said(response));
}

async function said(response: Response): Promise<Problem> {
  try {
    const body = (await response.json()) as Partial<Problem>;
    if (typeof body.message === "string")
      return { ...problem(response.status, body.message, body.hint ?? ""), ...body } as Problem;
  } catch {
    // Not from our server: a proxy in between.
  }
  return problem(
    response.status,
    `The server answered ${response.status} ${response.statusText}.`.replace(" .", "."),
    "Try again in a moment.",
  );
}

export function problem(status: number, message: string, hint = ""): Problem {
  return { status, message, hint, findings: [] };
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Failed) return error.problem;
  return problem(
    0,
    error instanceof Error ? error.message : String(error),
    "Reload the page; if it happens again it is a bug of ours.",
  );
}

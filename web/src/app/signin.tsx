/** Where somebody has to sign in first: the ways that the server names. */
import { useState } from "preact/hooks";
import { address, asProblem, get, post } from "../api/client";
import type { Problem, Session, SignIn as Ways } from "../api/types";
import { Button } from "../ui/button";
import { useResource } from "../ui/resource";
import { Failure, Loading, Notice, Said } from "../ui/states";
import { renewSession } from "./session";

export function SignIn() {
  const { data, error, reload } = useResource("sign-in", (signal) => get<Ways>("sign-in", {}, signal));
  const [token, setToken] = useState("");
  const [refused, setRefused] = useState<Problem>();
  const enter = async () => {
    setRefused(undefined);
    try {
      await post<Session>("sign-in", { token: token.trim() });
      await renewSession();
    } catch (failure) {
      setRefused(asProblem(failure));
    }
  };
  return (
    <main class="card sign" id="page">
      <div class="body stack">
        <span class="brand">
          <img src="./icon.svg" alt="" />
          MLWorkflow
        </span>
        <h1>Sign in</h1>
        {error && <Failure error={error} again={reload} />}
        {!data && !error && <Loading />}
        {data?.hint && <p class="muted">{data.hint}</p>}
        {data?.ways.includes("oidc") && (
          <Button kind="primary" href={address("sign-in/oidc", { back: `${location.pathname}${location.hash}` })}>
            Continue with {data.provider || "your identity provider"}
          </Button>
        )}
        {data?.ways.includes("token") && (
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault();
              void enter();
            }}
          >
            <label class="field">
              <span class="label">Token</span>
              <input
                class="input mono"
                type="password"
                autocomplete="off"
                value={token}
                onInput={(event) => setToken(event.currentTarget.value)}
              />
            </label>
            <Button type="submit" kind="primary" disabled={!token.trim()}>
              Sign in
            </Button>
          </form>
        )}
        {refused && (
          <div role="alert">
            <Notice tone="bad">
              <Said problem={refused} />
            </Notice>
          </div>
        )}
      </div>
    </main>
  );
}

// Signing in, by a password or by a provider; and setting a password by a one-time link, whose secret stands behind the `#`,
// which no server sees.
import { useState } from "preact/hooks";
import { Refused, ask } from "./api";
import { Mark } from "./bar";
import "./filters"; // What all pages share stays one file.
import { type Key, type Learned, language, learn, say } from "./words";

const WORDS: Record<string, Learned> = {
  en: () => import("./words/signin-en"),
  de: () => import("./words/signin-de"),
  ja: () => import("./words/signin-ja"),
  ko: () => import("./words/signin-ko"),
};

/** The provider's name; `undefined`: there is none. */
let provider: string | undefined;

/** The page, once its words are there, and it is known by what one signs in. */
export const load = () =>
  Promise.all([
    learn(WORDS[language]!),
    ask<{ provider?: { name: string } | null }>("GET", "/api/v1/session/ways").then(
      (ways) => (provider = ways.provider?.name),
      () => undefined,
    ),
  ]).then(() => SignIn);

/** Why the provider's answer did not sign in: the server's word for it. */
const FAILED: Record<string, Key> = {
  state: "failed_state",
  denied: "failed_denied",
  provider: "failed_provider",
  unverified: "failed_unverified",
  unknown: "failed_unknown",
  other: "failed_other",
  often: "failed_often",
  later: "failed_later",
};

/** What the address says of it. */
function failed(): string {
  const word = new URLSearchParams(location.search).get("failed") ?? "";
  return Object.hasOwn(FAILED, word) ? say(FAILED[word]!, provider ?? "OpenID Connect") : "";
}

/** Where to go then: only within this page's own origin. */
function next(): string {
  const to = new URLSearchParams(location.search).get("next") ?? "/";
  return /^\/(?![/\\])/.test(to) ? to : "/";
}

/** `autofocus` waits for the next picture, and does nothing for a field that comes later. */
const focus = (field: HTMLElement | null) => field?.focus();

function SignIn() {
  const link = new URLSearchParams(location.hash.slice(1)).get("link");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  // The provider has named somebody, whose code is asked for.
  const [isNamed, setNamed] = useState(() => new URLSearchParams(location.search).get("step") === "code");
  const [wantsCode, setWantsCode] = useState(isNamed);
  const [said, setSaid] = useState(failed);
  const [isBusy, setBusy] = useState(false);
  document.title = `${say("sign_in")} · alt`;
  const submit = (event: Event, withPassword = true) => {
    event.preventDefault();
    setBusy(true);
    const who = isNamed ? { provider: true } : { ...(link ? { link } : { email }), ...(withPassword && { password }) };
    const body = { ...who, ...(code && { code }) };
    ask("POST", "/api/v1/session", body).then(
      () => location.replace(next()),
      (error: Refused) => {
        setBusy(false);
        if (error.needs === "code" && !wantsCode) {
          setWantsCode(true);
          setSaid("");
        } else if (error.needs === "provider") {
          setNamed(false);
          setWantsCode(false);
          setSaid(say("failed_state"));
        } else if (error.status === 0) setSaid(say("offline"));
        else if (error.status === 401) setSaid(say(isNamed ? "wrong_code" : error.needs === "link" ? "link_old" : "wrong_password"));
        else setSaid(error.message);
      },
    );
  };
  return (
    <main class="door" id="numbers">
      <form class="card form" onSubmit={(event) => submit(event)}>
        <Mark />
        <h1>{say(link ? "welcome_link" : "welcome")}</h1>
        {said && (
          <p class="warn" role="alert">
            {said}
          </p>
        )}
        {!link && !isNamed && (
          <label>
            {say("email")}
            <input name="email" type="text" inputMode="email" autocomplete="username" required maxLength={200} value={email} onInput={(event) => setEmail(event.currentTarget.value)} ref={focus} />
          </label>
        )}
        {!isNamed && (
          <label>
            {say(link ? "new_password" : "password")}
            <input
              name="password"
              type="password"
              autocomplete={link ? "new-password" : "current-password"}
              required
              minLength={link ? 12 : 1}
              ref={link ? focus : undefined}
              maxLength={200}
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
            {link && <span class="note">{say("password_hint")}</span>}
          </label>
        )}
        {wantsCode && (
          <label>
            {say("code")}
            <input name="code" inputMode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}" required value={code} onInput={(event) => setCode(event.currentTarget.value)} ref={focus} />
          </label>
        )}
        <button type="submit" class="main" disabled={isBusy}>
          {say(link ? "set_password" : "sign_in")}
        </button>
        {link && (
          <button type="button" class="quiet" disabled={isBusy} onClick={(event) => submit(event, false)}>
            {say("without_password")}
          </button>
        )}
        {provider && !link && !isNamed && (
          <a class="other" href={`/api/v1/session/oidc?next=${encodeURIComponent(next())}`}>
            {say("continue_with", provider)}
          </a>
        )}
      </form>
    </main>
  );
}

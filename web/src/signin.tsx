// Signing in; and setting a password by a one-time link, whose secret stands behind the `#`, which no server sees.
import { useState } from "preact/hooks";
import { Refused, ask } from "./api";
import { Mark } from "./bar";
import "./filters"; // What all pages share stays one file.
import { type Learned, language, learn, say } from "./words";

const WORDS: Record<string, Learned> = {
  en: () => import("./words/signin-en"),
  de: () => import("./words/signin-de"),
  ja: () => import("./words/signin-ja"),
  ko: () => import("./words/signin-ko"),
};

/** The page, once its words are there. */
export const load = () => learn(WORDS[language]!).then(() => SignIn);

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
  const [wantsCode, setWantsCode] = useState(false);
  const [said, setSaid] = useState("");
  const [isBusy, setBusy] = useState(false);
  document.title = `${say("sign_in")} · alt`;
  const submit = (event: Event, withPassword = true) => {
    event.preventDefault();
    setBusy(true);
    const body = { ...(link ? { link } : { email }), ...(withPassword && { password }), ...(code && { code }) };
    ask("POST", "/api/v1/session", body).then(
      () => location.replace(next()),
      (error: Refused) => {
        setBusy(false);
        if (error.needs === "code" && !wantsCode) {
          setWantsCode(true);
          setSaid("");
        } else if (error.status === 0) setSaid(say("offline"));
        else if (error.status === 401) setSaid(say(error.needs === "link" ? "link_old" : "wrong_password"));
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
        {!link && (
          <label>
            {say("email")}
            <input name="email" type="text" inputMode="email" autocomplete="username" required maxLength={200} value={email} onInput={(event) => setEmail(event.currentTarget.value)} ref={focus} />
          </label>
        )}
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
      </form>
    </main>
  );
}

// What stands in place of numbers: nobody answers, nobody may, nothing is there yet.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Refused, ask, live } from "./api";
import { useEvery, useStage } from "./use";
import { number, say } from "./words";

type Picture = "off" | "lock" | "gone" | "wait" | "none" | "good";

const PICTURES: Record<Picture, string> = {
  off: "M14 50h52M22 50V38M34 50V30M46 50v-9M58 50V34M16 18l48 44",
  lock: "M22 36h36v24H22zM30 36v-8a10 10 0 0 1 20 0v8M40 46v5",
  gone: "M18 56l12-12m8-8 24-22M24 24h14M42 56h16",
  wait: "M10 44h14l6-20 10 34 8-24 5 10h17",
  good: "M20 42l14 14 28-30",
  none: "M14 56h52M22 56V46M34 56V46M46 56V46M58 56V46",
};

/** A card with a picture, a title and what to do. */
export function Notice({ picture, title, children }: { picture: Picture; title: string; children?: ComponentChildren }) {
  return (
    <section key={title} class="card notice" role="status">
      <svg viewBox="0 0 80 80" aria-hidden="true" class={picture}>
        <path d={PICTURES[picture]} />
      </svg>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** Words with `commands` in them. */
export const Said = ({ text }: { text: string }) => <p>{text.split("`").map((part, n) => (n % 2 ? <code key={n}>{part}</code> : part))}</p>;

/** Why there are no numbers. */
export function Failed({ error, retry }: { error: Refused; retry: () => void }) {
  const { view } = useStage();
  useEvery(error.status === 0 || error.status >= 500 ? 5 : 0, retry);
  const again = (
    <button type="button" class="main" onClick={retry}>
      {say("retry")}
    </button>
  );
  if (view.share && error.needs === "password") return <Locked share={view.share} unlocked={retry} />;
  if (view.share && [401, 404].includes(error.status)) return <Notice picture="gone" title={say("share_ended")}><Said text={say("share_ended_about")} /></Notice>;
  if (error.status === 403) return <Notice picture="lock" title={say("forbidden")}><Said text={say("forbidden_about")} /></Notice>;
  if (error.status === 404) return <Notice picture="gone" title={say("missing")}><Said text={say("missing_about")} /></Notice>;
  if (error.status === 0) return <Notice picture="off" title={say("offline")}><Said text={say("offline_about")} />{again}</Notice>;
  return (
    <Notice picture="off" title={say("error")}>
      <p class="said">{error.message}</p>
      {again}
    </Notice>
  );
}

/** A share that has a password. */
function Locked({ share, unlocked }: { share: string; unlocked: () => void }) {
  const [password, setPassword] = useState("");
  const [said, setSaid] = useState("");
  const submit = (event: Event) => {
    event.preventDefault();
    ask("POST", "/api/v1/session", { share, password }).then(unlocked, (error: Refused) =>
      setSaid(error.status === 401 ? say("wrong_share") : error.message || say("offline")),
    );
  };
  return (
    <Notice picture="lock" title={say("share_locked")}>
      <form class="form" onSubmit={submit}>
        {said && (
          <p class="warn" role="alert">
            {said}
          </p>
        )}
        <label>
          {say("password")}
          <input type="password" name="password" required maxLength={200} value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
        </label>
        <button type="submit" class="main">
          {say("apply")}
        </button>
      </form>
    </Notice>
  );
}

export function Copied({ text }: { text: string }) {
  const [isCopied, setCopied] = useState(false);
  return (
    <div class="line-to-copy">
      <pre tabIndex={0}>{text}</pre>
      <button type="button" onClick={() => void navigator.clipboard?.writeText(text).then(() => setCopied(true), () => {})}>
        {say(isCopied ? "copied" : "copy")}
      </button>
    </div>
  );
}

/** An application without an event: the line to paste, until the first hit is there. */
export function Empty({ snippet, arrived }: { snippet: string; arrived: () => void }) {
  const { view } = useStage();
  const [seen, setSeen] = useState(0);
  const look = () =>
    void live(view).then(
      ({ events }) => setSeen(events),
      () => {},
    );
  useEffect(look, []);
  // The event is there; its statistics are a moment later.
  useEvery(seen ? 2 : 3, seen ? arrived : look);
  if (seen) return <Notice picture="wait" title={say("first_hit")}><p class="count">{number(seen)}</p></Notice>;
  return (
    <Notice picture="wait" title={say("waiting")}>
      <Said text={say("waiting_about")} />
      <Copied text={snippet} />
      <p class="note">{say("waiting_log")}</p>
      <Copied text={`alt replay --app ${view.app} /var/log/nginx/access.log*`} />
    </Notice>
  );
}

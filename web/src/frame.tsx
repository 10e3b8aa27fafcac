// What the pages of an application share that are loaded later: the line on top, filters, dialogs, keys, and asking.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { type Application, Refused, ask } from "./api";
import { Bar, Help, allApplications } from "./bar";
import { Chips, FilterButton, FilterDialog } from "./filters";
import { Days, KEYS, Periods } from "./picker";
import { Failed } from "./states";
import { useEvery, useKeys, useStage } from "./use";
import { address, toPage } from "./view";
import { type Key, say } from "./words";

export interface Loaded<T> {
  value: T | undefined;
  error: Refused | undefined;
  /** The value is that of another question: the answer is not there yet. */
  isOld: boolean;
  reload: () => void;
}

/** Asks whenever the key changes, and never shows the answer to another question as that to this one. `""`: nothing to ask. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>, every = 0): Loaded<T> {
  const { view } = useStage();
  const [state, setState] = useState<{ key: string; value?: T; error?: Refused | undefined }>({ key: "" });
  const control = useRef<AbortController | undefined>(undefined);
  const run = () => {
    control.current?.abort();
    if (!key) return;
    const mine = (control.current = new AbortController());
    const timer = setTimeout(() => mine.abort(new Refused(0, "")), 20_000);
    load(mine.signal)
      .then((value) => !mine.signal.aborted && setState({ key, value }))
      .catch((error) => {
        if (mine.signal.aborted && !(mine.signal.reason instanceof Refused)) return;
        const refused = error instanceof Refused ? error : new Refused(0, String(error));
        if (refused.status === 401 && !view.share) return location.replace(`/sign-in?next=${encodeURIComponent(address(view))}`);
        setState((before) => (before.key === key ? { ...before, error: refused } : { key, error: refused }));
      })
      .finally(() => clearTimeout(timer));
  };
  useEffect(run, [key]);
  useEffect(() => () => control.current?.abort(), []);
  useEvery(every, run);
  return { value: state.value, error: state.key === key ? state.error : undefined, isOld: state.key !== key && key !== "", reload: run };
}

/** The application that is looked at; a share knows no more than its id, until an answer says more. */
export function useApp(): Application {
  const { view } = useStage();
  // Where the application's zone cannot be known, that of the browser: the page's own question says what is wrong.
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const [app, setApp] = useState<Application>({ id: view.app, name: view.share ? say("shared") : view.app, zone: view.share ? own : "", properties: [] });
  useEffect(() => {
    if (view.share) return;
    const found = (all: Application[]) => setApp((now) => all.find((one) => one.id === view.app) ?? { ...now, zone: own });
    allApplications().then(found, () => found([]));
  }, [view.app]);
  return app;
}

interface Props {
  app: Application;
  title: string;
  /** What can be chosen: a period, filters, both. */
  has: ("period" | "filter")[];
  bar?: ComponentChildren;
  loaded?: Loaded<unknown> | undefined;
  /** Keys of its own, for the help. */
  keys?: [string, string][];
  children: ComponentChildren;
}

/** A page of an application. */
export function Frame({ app, title, has, bar, loaded, keys, children }: Props) {
  const { view, go } = useStage();
  const [dialog, setDialog] = useState<"" | "filter" | "days" | "help">("");
  useEffect(() => {
    document.title = `${title} · ${app.name} · alt`;
  }, [title, app.name]);
  useKeys((key) => {
    if (KEYS[key] && has.includes("period")) go({ ...view, period: KEYS[key]!, interval: "" });
    else if ((key === "f" || key === "/") && has.includes("filter")) setTimeout(() => setDialog("filter"));
    else if (key === "c" && has.includes("period")) setTimeout(() => setDialog("days"));
    else if (key === "?") setDialog("help");
    else if (key === "b") go({ ...view, table: !view.table }, true);
    else if (key === "Escape") go(view.filters.length && has.includes("filter") ? { ...view, filters: [] } : toPage(view, "statistics"));
    else if (key === "a" && !view.share) go({ ...toPage(view, "all"), filters: [] });
  });
  const zone = app.zone || undefined;
  return (
    <>
      <Bar name={app.name} help={() => setDialog("help")}>
        {(bar || has.length > 0) && <span class="grow" />}
        {bar}
        {has.includes("filter") && <FilterButton open={() => setDialog("filter")} />}
        {has.includes("period") && <Periods zone={zone} openCustom={() => setDialog("days")} />}
      </Bar>
      <main id="numbers">
        <h2 class="hidden">{title}</h2>
        {has.includes("filter") && <Chips />}
        {loaded?.error && loaded.value === undefined ? <Failed error={loaded.error} retry={loaded.reload} /> : (
          <>
            {loaded?.error && (
              <p class="warn" role="alert">
                {loaded.error.message || say("offline")}
                <button type="button" class="quiet" onClick={loaded.reload}>
                  {say("retry")}
                </button>
              </p>
            )}
            {children}
          </>
        )}
      </main>
      {dialog === "filter" && <FilterDialog question={{ view, zone, dimensions: [], limit: 1, interval: "day" }} close={() => setDialog("")} />}
      {dialog === "days" && <Days zone={zone} close={() => setDialog("")} />}
      {dialog === "help" && <Help close={() => setDialog("")} keys={keys} />}
    </>
  );
}

/** Asks with the share, if there is one. */
export function askOf<T>(view: { app: string; share: string }, path: string, query: [string, string][], signal?: AbortSignal): Promise<T> {
  const all = new URLSearchParams([["application_id", view.app], ...query, ...(view.share ? [["share", view.share] as [string, string]] : [])]);
  return ask<T>("GET", `${path}?${all}`, undefined, signal);
}

/** A part of a page, with its title. */
export function Card({ title, about, children, name }: { title: string; about?: string; children: ComponentChildren; name?: string }) {
  return (
    <section class="card panel setting" aria-label={title} data-setting={name}>
      <header>
        <h2>{title}</h2>
        {about && <p class="note">{about}</p>}
      </header>
      {children}
    </section>
  );
}

/** Asks twice before it does what cannot be undone. */
export function Remove({ name, word, run }: { name: string; word: Key; run: () => Promise<void> }) {
  const [isSure, setSure] = useState(false);
  return (
    <button type="button" class={isSure ? "quiet sure" : "quiet"} aria-label={`${say(isSure ? "really" : word)}: ${name}`} onBlur={() => setSure(false)} onClick={() => (isSure ? void run() : setSure(true))}>
      {say(isSure ? "really" : word)}
    </button>
  );
}

// The dashboard: the address says what is looked at.
import { render } from "preact";
import type { ComponentType } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { Refused } from "./api";
// What pages share is part of what is loaded first.
import "./bar";
import "./filters";
import { Failed } from "./states";
import { type Stage, StageContext } from "./use";
import { type View, address, read } from "./view";
import { language, loadWords, setTheme, theme } from "./words";

/** Pages are loaded when they are first looked at; these have a dictionary of their own. */
const NUMBERS: Record<string, () => Promise<ComponentType>> = {
  all: () => import("./all").then((all) => all.All),
  statistics: () => import("./statistics").then((all) => all.Statistics),
  live: () => import("./live").then((all) => all.Live),
  retention: () => import("./retention").then((all) => all.load()),
};
/** Those of alerts have a dictionary of their own. */
const ALERTS: Record<string, () => Promise<ComponentType>> = {
  alerts: () => import("./alerts").then((all) => all.AlertsPage),
  open: () => import("./alerts").then((all) => all.OpenPage),
};
/** This one has words of its own alone. */
const SIGN_IN: Record<string, () => Promise<ComponentType>> = { "sign-in": () => import("./signin").then((all) => all.load()) };
/** And these with words of their own. */
const OTHERS: Record<string, () => Promise<ComponentType>> = {
  panels: () => import("./panels").then((all) => all.PanelsPage),
  funnel: () => import("./funnel-journey").then((all) => all.FunnelPage),
  journey: () => import("./funnel-journey").then((all) => all.JourneyPage),
  visits: () => import("./rows").then((all) => all.VisitsPage),
  search: () => import("./rows").then((all) => all.SearchPage),
  settings: () => import("./manage").then((all) => all.SettingsPage),
  system: () => import("./system").then((all) => all.SystemPage),
};
const ready = new Map<string, ComponentType>();

async function loadPage(name: string): Promise<ComponentType> {
  const load = SIGN_IN[name] ?? NUMBERS[name] ?? ALERTS[name] ?? OTHERS[name]!;
  const words = SIGN_IN[name] ? [] : name === "panels" ? [loadWords("numbers"), loadWords("panels")] : [loadWords(NUMBERS[name] ? "numbers" : ALERTS[name] ? "alerts" : "more")];
  const [page] = await Promise.all([load(), ...words]);
  ready.set(name, page);
  return page;
}

function Later({ name }: { name: string }) {
  const [Page, setPage] = useState<ComponentType | undefined>(() => ready.get(name));
  const [failed, setFailed] = useState(false);
  const load = () => void loadPage(name).then((page) => setPage(() => page), () => setFailed(true));
  useEffect(() => {
    if (!Page) load();
  }, []);
  if (Page) return <Page />;
  return <main id="numbers">{failed ? <Failed error={new Refused(0, "")} retry={load} /> : <div class="card notice" aria-busy="true" />}</main>;
}

function App() {
  const [view, setView] = useState<View>(() => read(location));
  useEffect(() => {
    const back = () => setView(read(location));
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  const stage = useMemo<Stage>(
    () => ({
      view,
      go: (to, replace) => {
        const target = address(to);
        if (target !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", target);
        if (to.page !== view.page || to.app !== view.app) scrollTo(0, 0);
        setView(to);
      },
    }),
    [view],
  );
  const key = `${view.page} ${view.app}`;
  useEffect(() => void document.documentElement.classList.toggle("wall", view.wall), [view.wall]);
  return (
    <StageContext.Provider value={stage}>
      <Later key={key} name={view.page} />
    </StageContext.Provider>
  );
}

document.documentElement.lang = language;
setTheme(theme());
const { page: first, wall } = read(location);
document.documentElement.classList.toggle("wall", wall);
// Words and page come together, so that nothing is shown twice.
const both = [loadWords("common"), loadPage(first).catch(() => undefined)];
void Promise.all(both).then(() => render(<App />, document.getElementById("app")!));

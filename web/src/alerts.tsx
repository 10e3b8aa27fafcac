// Alerts: the pages, of which each part is loaded when it is first looked at.
import { useEffect, useState } from "preact/hooks";
import { Refused, ask } from "./api";
import { Bar, Link } from "./bar";
import { type Said, of, to } from "./bits";
import { Frame, useApp, useLoad } from "./frame";
import { Help } from "./help";
import { Failed, Notice, Said as Words } from "./states";
import { useKeys, useStage } from "./use";
import { address, toPage } from "./view";
import { language, learn, say } from "./words";

/** Parts that are loaded when they are first looked at. */
const PARTS = { alert: () => import("./alert"), lists: () => import("./lists"), rules: () => import("./rules") };

/** Their words. */
const WORDS: Record<keyof typeof PARTS, Record<string, Parameters<typeof learn>[0]>> = {
  alert: {
    en: () => import("./words/alert-en"),
    de: () => import("./words/alert-de"),
    ja: () => import("./words/alert-ja"),
    ko: () => import("./words/alert-ko"),
  },
  lists: {
    en: () => import("./words/lists-en"),
    de: () => import("./words/lists-de"),
    ja: () => import("./words/lists-ja"),
    ko: () => import("./words/lists-ko"),
  },
  rules: {
    en: () => import("./words/rules-en"),
    de: () => import("./words/rules-de"),
    ja: () => import("./words/rules-ja"),
    ko: () => import("./words/rules-ko"),
  },
};

/** A part, once it is there. */
function usePart<N extends keyof typeof PARTS>(name: N, isWanted: boolean): Awaited<ReturnType<(typeof PARTS)[N]>> | undefined {
  const [part, setPart] = useState<Awaited<ReturnType<(typeof PARTS)[N]>>>();
  useEffect(() => {
    if (!isWanted || part) return;
    void Promise.all([PARTS[name]() as Promise<Awaited<ReturnType<(typeof PARTS)[N]>>>, learn(WORDS[name][language]!)]).then(([loaded]) => setPart(() => loaded), () => {});
  }, [isWanted]);
  return part;
}

const TABS = ["alerts", "rules", "silences", "channels"] as const;
type Tab = (typeof TABS)[number];

/** The keys of a list of alerts. */
const keys = (): [string, string][] => [["j", `${say("key_next")} (K)`], ["e", say("acknowledge")]];

/** What stands in an answer that a reader who is bound to a filter gets. */
const isBound = (error: Refused | undefined) => error?.status === 403 && error.message.includes("filter");

export function AlertsPage() {
  const { view, go } = useStage();
  const app = useApp();
  const who = useLoad<Said>(`role ${view.app}`, () => ask<Said>("GET", `/api/v1/applications/${encodeURIComponent(view.app)}`));
  const list = useLoad<Said>(`alerts ${view.app} ${view.args.state ?? ""}`, (signal) => ask<Said>("GET", `/api/v1/alerts?${of(view.app)}&state=${view.args.state?.[0] === "all" ? "all" : "open"}`, undefined, signal), 5);
  const rules = useLoad<Said[]>(`rules ${view.app}`, (signal) => ask<Said>("GET", `/api/v1/alert-rules?${of(view.app)}`, undefined, signal).then((all) => all.rules), 15);
  const tab: Tab = TABS.find((one) => one === view.args.show?.[0]) ?? "alerts";
  const mayEdit = who.value?.role === "editor" || who.value?.role === "owner";
  const id = view.args.alert?.[0];
  const rule = view.args.rule?.[0];
  const one = usePart("alert", !!id);
  const lists = usePart("lists", !id && !rule);
  const editor = usePart("rules", !!rule);
  if (isBound(list.error)) {
    return (
      <Frame app={app} title={say("alerts")} has={[]}>
        <Notice picture="lock" title={say("forbidden")}><Words text={say("alerts_bound")} /></Notice>
      </Frame>
    );
  }
  const [One, Lists, Editor] = [one!, lists!, editor!];
  const needs = id ? one : rule ? editor : lists;
  const isReady = list.value && rules.value && (who.value || who.error) && needs;
  return (
    <Frame app={app} title={say("alerts")} has={[]} loaded={list} keys={keys()}>
      {!isReady ? <section class="card panel rows" aria-busy="true" /> : id ? (
        <One.OneAlert key={id} id={id} zone={app.zone || undefined} mayEdit={mayEdit} changed={list.reload} />
      ) : rule ? (
        <Editor.RuleEditor key={rule} rule={rules.value!.find((one) => String(one.id) === rule)} zone={app.zone || undefined} done={() => { rules.reload(); go(to(view, { show: ["rules"] })); }} />
      ) : (
        <section class="card panel rows alerts" aria-label={say(tab)}>
          <header class="heads">
            <nav class="tabs" aria-label={say("alerts")}>
              {TABS.filter((one) => one !== "channels" || mayEdit).map((one) => (
                <Link key={one} to={to(view, one === "alerts" ? {} : { show: [one] })} chosen={one === tab}>{say(one)}</Link>
              ))}
            </nav>
            {tab === "alerts" && <Scope />}
            {tab === "rules" && mayEdit && <Link to={to(view, { rule: ["new"] })} kind="pill lined">{say("add_rule")}</Link>}
          </header>
          {tab === "alerts" && <Lists.AlertList all={list.value!.alerts} isAll={view.args.state?.[0] === "all"} mayEdit={mayEdit} rules={rules.value!} isCut={!!list.value!.next} changed={list.reload} />}
          {tab === "rules" && <Lists.Rules all={rules.value!} mayEdit={mayEdit} changed={rules.reload} />}
          {tab === "silences" && <Lists.Silences rules={rules.value!} mayEdit={mayEdit} zone={app.zone || undefined} />}
          {tab === "channels" && mayEdit && <Lists.Channels />}
        </section>
      )}
    </Frame>
  );
}

/** Open ones, or all. */
function Scope() {
  const { view, go } = useStage();
  const isAll = view.args.state?.[0] === "all";
  return (
    <div class="switch" role="group" aria-label={say("state")}>
      <button type="button" aria-pressed={!isAll} onClick={() => go(to(view, {}))}>{say("open_ones")}</button>
      <button type="button" aria-pressed={isAll} onClick={() => go(to(view, { state: ["all"] }))}>{say("all_alerts")}</button>
    </div>
  );
}

/** Open alerts of all applications; a link in a message leads to one of them. */
export function OpenPage() {
  const { view, go } = useStage();
  const [help, setHelp] = useState(false);
  const id = view.args.alert?.[0];
  const Lists = usePart("lists", true);
  const loaded = useLoad<Said[]>(`open ${id ?? ""}`, (signal) => ask<Said>("GET", `/api/v1/open-alerts${id ? `?id=${encodeURIComponent(id)}` : ""}`, undefined, signal).then((all) => all.alerts), id ? 0 : 5);
  const found = id ? loaded.value?.[0] : undefined;
  // One of the installation has no page of an application: it is listed here, alone.
  const one = found?.application_id ? found : undefined;
  const isListed = !id || found;
  useEffect(() => {
    document.title = `${say("alerts")} · alt`;
    if (one) go({ ...to(view, { alert: [String(one.id)] }), app: one.application_id }, true);
  }, [one]);
  useKeys((key) => {
    if (key === "?") setHelp(true);
    else if (key === "a" || key === "Escape") go(toPage(view, "all"));
  });
  return (
    <>
      <Bar name={say("to_open")} help={() => setHelp(true)} />
      <main id="numbers">
        {loaded.error && !loaded.value ? <Failed error={loaded.error} retry={loaded.reload} /> : !loaded.value || one || !Lists ? <section class="card panel rows" aria-busy="true" /> : !isListed ? (
          <Notice picture="gone" title={say("unknown_alert")}><p><a class="main" href={address({ ...toPage(view, "open") })}>{say("alerts")}</a></p></Notice>
        ) : (
          <section class="card panel rows alerts" aria-label={say("to_open")}>
            <h2 class="hidden">{say("to_open")}</h2>
            {Lists && <Lists.AlertList all={loaded.value} isAll={false} mayEdit={false} changed={loaded.reload} isOfSeveral />}
          </section>
        )}
      </main>
      {help && <Help close={() => setHelp(false)} keys={keys()} />}
    </>
  );
}

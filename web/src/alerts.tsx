// Alerts: the pages, of which each part is loaded when it is first looked at.
import { useEffect, useState } from "preact/hooks";
import { Refused, ask } from "./api";
import { Link } from "./bar";
import { type Said, of, to } from "./bits";
import { Frame, useApp, useLoad } from "./frame";
import { Notice, Said as Words } from "./states";
import { useStage } from "./use";
import { language, learn, say } from "./words";

/** Parts that are loaded when they are first looked at; each of them names its words. */
const PARTS = { alert: () => import("./alert"), lists: () => import("./lists"), rules: () => import("./rules"), silences: () => import("./silences") };

/** A part, once it is there. */
function usePart<N extends keyof typeof PARTS>(name: N, isWanted: boolean): Awaited<ReturnType<(typeof PARTS)[N]>> | undefined {
  const [part, setPart] = useState<Awaited<ReturnType<(typeof PARTS)[N]>>>();
  useEffect(() => {
    if (!isWanted || part) return;
    const load = async () => {
      const loaded = (await PARTS[name]()) as Awaited<ReturnType<(typeof PARTS)[N]>>;
      await learn(loaded.WORDS[language]!);
      setPart(() => loaded);
    };
    void load().catch(() => {});
  }, [isWanted]);
  return part;
}

const TABS = ["alerts", "rules", "silences", "figures", "channels"] as const;
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
  const isOfList = !id && !rule;
  const isAside = tab === "silences" || tab === "figures";
  const lists = usePart("lists", isOfList && !isAside);
  const silences = usePart("silences", isOfList && isAside);
  const editor = usePart("rules", !!rule);
  if (isBound(list.error)) {
    return (
      <Frame app={app} title={say("alerts")} has={[]}>
        <Notice picture="lock" title={say("forbidden")}><Words text={say("alerts_bound")} /></Notice>
      </Frame>
    );
  }
  const [One, Lists, Editor, Aside] = [one!, lists!, editor!, silences!];
  const needs = id ? one : rule ? editor : isAside ? silences : lists;
  const blind: Said[] = list.value?.not_judged ?? [];
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
          {(tab === "alerts" || tab === "rules") && <Lists.NotJudged all={blind} zone={app.zone || undefined} />}
          {tab === "alerts" && <Lists.AlertList blind={blind} all={list.value!.alerts} isAll={view.args.state?.[0] === "all"} mayEdit={mayEdit} rules={rules.value!} isCut={!!list.value!.next} changed={list.reload} />}
          {tab === "rules" && <Lists.Rules all={rules.value!} mayEdit={mayEdit} changed={rules.reload} blind={blind} />}
          {tab === "silences" && <Aside.Silences rules={rules.value!} mayEdit={mayEdit} zone={app.zone || undefined} />}
          {tab === "figures" && <Aside.Figures />}
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

/** Open alerts of all applications. */
export function OpenPage() {
  const [isOwn, setOwn] = useState(false);
  const Lists = usePart("lists", true);
  const Own = usePart("alert", isOwn);
  return Lists ? <Lists.Open One={Own?.OneAlert} need={setOwn} keys={keys()} /> : <main id="numbers"><section class="card panel rows" aria-busy="true" /></main>;
}

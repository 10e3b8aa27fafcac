// An alert, with what was measured around it and what became of it.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ask } from "./api";
import { Link } from "./bar";
import { Labels, type Said, Severity, Span, State, lasted, of, to, unitOf, useDeed, valueOf } from "./bits";
import { Card, Remove, useLoad } from "./frame";
import { Failed, Notice } from "./states";
import { type Measured, TimeChart } from "./timechart";
import { useStage } from "./use";
import { toPage } from "./view";
import { type Learned, type Key, dateTime, has, say } from "./words";

/** Its words, by language. */
export const WORDS: Record<string, Learned> = {
  en: () => import("./words/alert-en"),
  de: () => import("./words/alert-de"),
  ja: () => import("./words/alert-ja"),
  ko: () => import("./words/alert-ko"),
};

interface OneProps {
  id: string;
  zone: string | undefined;
  mayEdit: boolean;
  /** It is of the installation, and of no application. */
  isOwn?: boolean;
  changed: () => void;
}

export function OneAlert({ id, zone, mayEdit, isOwn = false, changed }: OneProps) {
  const { view, go } = useStage();
  const path = `/api/v1/${isOwn ? "open-alerts" : "alerts"}/${encodeURIComponent(id)}`;
  const query = isOwn ? "" : `?${of(view.app)}`;
  const loaded = useLoad<Said>(`alert ${id}`, (signal) => ask<Said>("GET", `${path}${query}`, undefined, signal), 5);
  const samples = useLoad<Said>(`samples ${id}`, (signal) => ask<Said>("GET", `${path}/samples${query}`, undefined, signal), loaded.value?.alert.ended ? 0 : 15);
  const back = <Link to={isOwn ? toPage(view, "open") : to(view, {})} kind="back">← {say("alerts")}</Link>;
  if (loaded.error && !loaded.value) {
    return <>{back}{loaded.error.status === 404 ? <Notice picture="gone" title={say("unknown_alert")} /> : <Failed error={loaded.error} retry={loaded.reload} />}</>;
  }
  if (!loaded.value || (!samples.value && !samples.error)) return <section class="card panel rows" aria-busy="true" />;
  const { alert, history, explanation } = loaded.value as { alert: Said; history: Said[]; explanation: Said };
  const measured = samples.value as unknown as (Measured & Said) | undefined;
  return (
    <>
      {back}
      <section class="card panel setting one-alert" aria-label={alert.rule} data-alert={alert.id}>
        <header>
          <div class="line-of">
            <Severity of={alert.severity} />
            <State one={alert} />
            {alert.partial && <span class="state partial">{say("st_partial")}</span>}
          </div>
          <h2 class="large">{alert.rule}</h2>
          <p class="note">{measured?.condition ?? alert.title} <Labels all={alert.labels} /></p>
        </header>
        <dl class="figures-of">
          <div><dt>{say("value_of")}</dt><dd>{valueOf(alert.value, measured?.unit ?? unitOf(alert))}</dd></div>
          <div><dt>{say("began")}</dt><dd>{dateTime(alert.began, zone, true)}</dd></div>
          <div><dt>{say("ended")}</dt><dd>{alert.ended ? dateTime(alert.ended, zone, true) : "–"}{alert.by_hand && ` · ${say("by_hand")}`}</dd></div>
          <div><dt>{say("lasted")}</dt><dd>{alert.ended ? lasted(alert) : lasted({ ...alert, ended: new Date().toISOString() })}</dd></div>
        </dl>
        {mayEdit && !alert.ended && <Deeds alert={alert} path={path} query={query} isOwn={isOwn} changed={() => { loaded.reload(); changed(); }} />}
      </section>
      <section class="card panel setting" aria-label={say("measured")}>
        <header class="heads">
          <h2>{say("measured")}</h2>
          {measured && measured.points.length > 0 && <button type="button" class="quiet" aria-pressed={view.table} onClick={() => go({ ...view, table: !view.table }, true)}>{say("table")}</button>}
        </header>
        {samples.error ? <p class="note">{samples.error.message || say("offline")}</p> : measured!.points.length === 0 ? <p class="note">{say("no_samples")}</p> : (
          <TimeChart
            label={say("chart_of_alert", alert.rule, dateTime(measured!.from, zone), dateTime(measured!.until, zone))}
            measured={measured!}
            spans={[{ began: alert.began, ended: alert.ended }]}
            zone={zone}
            table={view.table}
          />
        )}
        {measured && !measured.is_complete && <p class="note">{say("read_to", dateTime(measured.read_until, zone))}</p>}
      </section>
      <div class="settings">
        <Card title={say("what_became")} name="history">
          <ol class="story">
            {history.map((one, n) => (
              <li key={n} class={one.what} data-what={`${one.what} ${one.kind}`}>
                <time dateTime={one.at ?? undefined}>{one.at ? dateTime(one.at, zone, true) : "–"}</time>
                <span>{told(one, measured?.unit ?? "")}</span>
                {one.what !== "transition" && one.note && <span class="note">{one.note}</span>}
              </li>
            ))}
          </ol>
          {explanation.kept_back.map((one: Said, n: number) => <p key={n} class="note" data-kept={one.reason}>{kept(one, zone)}</p>)}
        </Card>
        <Card title={say("rule_then")} name="rule" {...(explanation.version && { about: say("version_of", explanation.version, explanation.made_by, dateTime(explanation.made_at, zone)) })}>
          <pre tabIndex={0}>{measured?.rule ?? "–"}</pre>
          {!isOwn && <p><Link to={to(view, { show: ["rules"] })} kind="quiet">{say("rules")}</Link></p>}
        </Card>
      </div>
    </>
  );
}

/** What became of it, in words. */
function told(one: Said, unit: string): ComponentChildren {
  const prefix = ({ transition: "tr", act: "act", message: "msg" } as Record<string, string>)[one.what];
  const key = `${prefix}_${one.kind}`;
  const text = has(key) ? say(key as Key, one.who ?? "") : `${one.kind} ${one.who ?? ""}`;
  if (one.what === "transition" && one.note) return `${text} (${valueOf(Number(one.note), unit)})`;
  return text;
}

/** What keeps messages back. */
function kept(one: Said, zone: string | undefined): string {
  if (one.reason === "silenced") return [say("kept_silenced", one.by), one.until ? `${say("ended")}: ${dateTime(one.until, zone)}` : say("until_over"), one.note].filter(Boolean).join(" · ");
  const key = `kept_${one.reason}`;
  return has(key) ? say(key as Key, one.by ?? "") : one.reason;
}

function Deeds({ alert, path, query, isOwn, changed }: { alert: Said; path: string; query: string; isOwn: boolean; changed: () => void }) {
  const { view } = useStage();
  const [minutes, setMinutes] = useState(240);
  const [failed, run, done] = useDeed(changed);
  const to = (deed: string) => `${path}/${deed}${query}`;
  return (
    <div class="deeds">
      <span class="inline">
        <button type="button" class="main" onClick={() => void run(to("acknowledge"), { minutes })}>{say("acknowledge")}</button>
        <Span label={say("acknowledge_for")} value={minutes} choose={setMinutes} />
      </span>
      <Remove name={alert.rule} word="resolve" run={async () => void (await run(to("resolve"), {}))} />
      {!isOwn && <button type="button" class="quiet" onClick={() => void run(`/api/v1/silences?${of(view.app)}`, { until_resolved: true, rule: alert.rule, labels: alert.labels })}>
        {`${say("silence")}: ${say("until_over")}`}
      </button>}
      {done && !failed && <span class="note" role="status">{done}</span>}
      {failed && <p class="warn" role="alert">{failed}</p>}
    </div>
  );
}

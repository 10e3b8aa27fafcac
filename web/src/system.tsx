// How the installation is: what is loaded, files, workers.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask } from "./api";
import { Bar, Help } from "./bar";
import { Card, useLoad } from "./frame";
import { Failed } from "./states";
import { useKeys, useStage } from "./use";
import { toPage } from "./view";
import { type Key, ago, dateTime, number, ratio, say, time } from "./words";

type Said = Record<string, any>;

export function SystemPage() {
  const { view, go } = useStage();
  const [help, setHelp] = useState(false);
  const metrics = useLoad<Said>("metrics", (signal) => ask<Said>("GET", "/api/metrics", undefined, signal), 10);
  const system = useLoad<Said>("system", (signal) => ask<Said>("GET", "/api/v1/system", undefined, signal), 10);
  useEffect(() => {
    document.title = `${say("to_system")} · alt`;
  }, []);
  useKeys((key) => {
    if (key === "?") setHelp(true);
    else if (key === "a" || key === "Escape") go(toPage(view, "all"));
  });
  const error = (!metrics.value && metrics.error) || (!system.value && system.error);
  const isOld = metrics.error || system.error;
  return (
    <>
      <Bar name={say("to_system")} help={() => setHelp(true)} />
      <main id="numbers">
        {error ? <Failed error={error} retry={() => { metrics.reload(); system.reload(); }} /> : !metrics.value || !system.value ? <div class="card notice" aria-busy="true" /> : (
          <>
            {isOld && <p class="warn" role="alert">{say("offline")}</p>}
            <Health metrics={metrics.value} system={system.value} />
            <Figures metrics={metrics.value} system={system.value} />
            <Files system={system.value} />
            <Workers system={system.value} />
          </>
        )}
      </main>
      {help && <Help close={() => setHelp(false)} />}
    </>
  );
}

/** So many seconds may lie between two turns of the work that only a running daemon does, once an hour. */
const UPKEEP_SECONDS = 4200;

/** Whether any daemon did its regular work lately. Commands take leases of other work, too. */
const isRunning = (system: Said) => system.workers.some((one: Said) => one.name.startsWith("upkeep") && one.expires_in_seconds > -UPKEEP_SECONDS);

/** What is not as it should be. */
function problems(metrics: Said, system: Said): [string, string][] {
  const { loading, statistics } = metrics;
  const all: [boolean, string, string][] = [
    [!isRunning(system), say("sick_daemon"), "systemctl status alt"],
    [!loading.last_batch_at, say("sick_none"), "alt status"],
    // Of a batch that is long ago it says nothing of now.
    [(loading.lag_seconds ?? 0) > 60 && Date.now() - new Date(loading.last_batch_at).getTime() < 300_000, say("sick_lag", time((loading.lag_seconds ?? 0) * 1000)), "alt status"],
    [system.totals.archive_errors > 0, say("sick_archive", system.totals.archive_errors), "alt archive"],
    [system.totals.rejects > 0 && system.totals.rejects / Math.max(1, system.totals.lines) > 0.01, say("sick_rejects", number(system.totals.rejects)), "alt rejects"],
    [!statistics.is_followed, say("sick_statistics"), "alt stats rebuild"],
    [statistics.waiting_seconds > 900, say("sick_waiting", time(statistics.waiting_seconds * 1000)), "alt stats status"],
  ];
  return all.filter(([isSo]) => isSo).map(([, what, command]) => [what, command]);
}

function Health({ metrics, system }: { metrics: Said; system: Said }) {
  const all = problems(metrics, system);
  return (
    <section class="card panel" aria-label={say("health")} data-health={all.length}>
      <header><h2>{say("health")}</h2></header>
      {all.length === 0 ? <p class="current on"><i />{say("healthy")}</p> : (
        <ul class="sick">
          {all.map(([what, command]) => <li key={what} class="warn">{what} <code>{command}</code></li>)}
        </ul>
      )}
    </section>
  );
}

function Figures({ metrics, system }: { metrics: Said; system: Said }) {
  const { loading, statistics, requests } = metrics;
  const all: [Key, ComponentChildren][] = [
    ["lag", loading.lag_seconds === null ? "–" : `${ratio(loading.lag_seconds)} s`],
    ["rows_minute", number(loading.rows_last_minute)],
    ["rows_hour", number(loading.rows_last_hour)],
    ["last_loaded", loading.last_batch_at ? ago(loading.last_batch_at) : "–"],
    ["lines", number(system.totals.lines)],
    ["rejects", number(system.totals.rejects)],
    ["days_waiting", number(statistics.days_being_computed)],
    ["api_requests", number(requests.answered ?? 0)],
    ["api_failed", number(requests.failed ?? 0)],
  ];
  return (
    <section class="card panel" aria-label={say("figures")}>
      <dl class="figures-of">
        {all.map(([word, value]) => <div key={word} data-figure={word}><dt>{say(word)}</dt><dd>{value}</dd></div>)}
      </dl>
    </section>
  );
}

function Files({ system }: { system: Said }) {
  const archive = (one: Said) => (one.archive_error ? one.archive_error : one.archived_at ? dateTime(one.archived_at) : "–");
  return (
    <Card title={say("files")} about={system.files_are_cut ? say("files_cut", number(system.files.length), number(system.totals.files)) : say("n_files", system.totals.files)} name="files">
      {system.files.length === 0 ? <p class="note">{say("none_yet")}</p> : (
        <div class="scroll tall" tabIndex={0} role="region" aria-label={`${say("files")}, ${say("table")}`}>
          <table class="numbers">
            <thead>
              <tr>{(["file", "host", "last_loaded", "lines", "rows", "rejects", "archived"] as Key[]).map((word) => <th scope="col" key={word}>{say(word)}</th>)}</tr>
            </thead>
            <tbody>
              {system.files.map((one: Said) => (
                <tr key={one.id}>
                  <th scope="row" title={one.path}>{one.path}</th>
                  <td>{one.host}</td>
                  <td>{one.committed_at ? ago(one.committed_at) : "–"}{one.is_sealed ? ` · ${say("sealed")}` : ""}</td>
                  <td>{number(one.lines)}</td>
                  <td>{number(one.rows)}</td>
                  <td class={one.rejects ? "part" : undefined}>{number(one.rejects)}</td>
                  <td class={one.archive_error ? "part" : undefined}>{archive(one)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  );
}

function Workers({ system }: { system: Said }) {
  return (
    <Card title={say("workers")} about={say("workers_about")} name="workers">
      {system.workers.length === 0 ? <p class="note">{say("none_yet")}</p> : (
        <div class="scroll" tabIndex={0} role="region" aria-label={`${say("workers")}, ${say("table")}`}>
        <table class="numbers">
          <thead><tr><th scope="col">{say("work")}</th><th scope="col">{say("holder")}</th><th scope="col">{say("last_worked")}</th></tr></thead>
          <tbody>
            {system.workers.map((one: Said) => (
              <tr key={one.name}>
                <th scope="row" title={one.name}>{one.name.split(":")[0]}</th>
                <td>{one.host}</td>
                <td>{one.expires_in_seconds < 0 ? ago(new Date(Date.now() + one.expires_in_seconds * 1000).toISOString()) : say("works")}</td>
              </tr>
            ))}
          </tbody>
        </table>
        </div>
      )}
    </Card>
  );
}

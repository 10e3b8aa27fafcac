// How the installation is: what is loaded, files, workers.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask } from "./api";
import { Bar, Help } from "./bar";
import { Card, useLoad } from "./frame";
import { Failed } from "./states";
import { useKeys, useStage } from "./use";
import { toPage } from "./view";
import { type Key, ago, dateTime, number, say, time } from "./words";

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
            <Daemons system={system.value} />
            <Files system={system.value} />
            <Workers system={system.value} />
          </>
        )}
      </main>
      {help && <Help close={() => setHelp(false)} />}
    </>
  );
}

/** A daemon that was not told to end is missed for a day; then it is one that was taken away. */
const MISSED_MS = 86_400_000;

const running = (system: Said): Said[] => system.daemons.filter((one: Said) => one.is_running);

/** By how many seconds loading is behind, where that is most. */
function behind(system: Said): number | null {
  const lags = running(system).map((one) => one.lag_seconds).filter((lag) => lag !== null);
  return lags.length > 0 ? Math.max(...lags) : null;
}

/** What is not as it should be. */
function problems(metrics: Said, system: Said): [string, string][] {
  const { statistics } = metrics;
  const some = running(system);
  const gone: Said[] = some.length === 0 ? [] : system.daemons.filter((one: Said) => !one.is_running && !one.ended_at && Date.now() - new Date(one.seen_at).getTime() < MISSED_MS);
  const lag = behind(system) ?? 0;
  const all: [boolean, string, string][] = [
    [some.length === 0, say("sick_daemon"), "systemctl status alt"],
    ...gone.map((one): [boolean, string, string] => [true, say("sick_gone", one.host, ago(one.seen_at)), "systemctl status alt"]),
    [system.totals.lines === 0, say("sick_none"), "alt status"],
    [lag > 60, say("sick_lag", time(lag * 1000)), "alt status"],
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
  const lag = behind(system);
  // Of batches, an hour is known.
  const last: string = system.files.map((one: Said) => one.committed_at ?? "").reduce((one: string, two: string) => (one > two ? one : two), loading.last_batch_at ?? "");
  const all: [Key, ComponentChildren][] = [
    ["lag", lag === null ? "–" : lag === 0 ? say("caught_up") : time(lag * 1000)],
    ["rows_minute", number(loading.rows_last_minute)],
    ["rows_hour", number(loading.rows_last_hour)],
    ["last_loaded", last ? ago(last) : "–"],
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

function Daemons({ system }: { system: Said }) {
  return (
    <Card title={say("daemons")} about={say("daemons_about")} name="daemons">
      {system.daemons.length === 0 ? <p class="note">{say("none_yet")}</p> : (
        <div class="scroll" tabIndex={0} role="region" aria-label={`${say("daemons")}, ${say("table")}`}>
          <table class="numbers">
            <thead>
              <tr>{(["host", "last_seen", "started", "version", "sources", "configuration"] as Key[]).map((word) => <th scope="col" key={word}>{say(word)}</th>)}</tr>
            </thead>
            <tbody>
              {system.daemons.map((one: Said) => (
                <tr key={`${one.host} ${one.config}`}>
                  <th scope="row" title={one.host}>{one.host}</th>
                  <td class={one.is_running || one.ended_at ? undefined : "part"}>{one.ended_at ? say("was_ended", ago(one.ended_at)) : one.is_running ? say("is_running") : ago(one.seen_at)}</td>
                  <td>{ago(one.started_at)}</td>
                  <td>{one.version}</td>
                  <td>{number(one.sources)}</td>
                  <td>{one.config}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
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

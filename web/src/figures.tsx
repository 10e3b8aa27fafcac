// What became of the alerts of an application as a whole.
import { useState } from "preact/hooks";
import { ask } from "./api";
import { type Said, Severity, of } from "./bits";
import { useLoad } from "./frame";
import { Failed, Notice } from "./states";
import { useStage } from "./use";
import { number, say, time } from "./words";

/** The last so many days. */
const DAYS = [7, 30, 90, 365];

const SEVERITIES = ["critical", "high", "medium", "low"];

const lasting = (seconds: number | null) => (seconds === null ? "–" : time(seconds * 1000));

export function Figures() {
  const { view } = useStage();
  const [days, setDays] = useState(30);
  const loaded = useLoad<Said>(`figures ${view.app} ${days}`, (signal) => ask<Said>("GET", `/api/v1/alert-statistics?${of(view.app)}&days=${days}`, undefined, signal), 60);
  const { value } = loaded;
  const known = SEVERITIES.filter((name) => value?.severities[name]);
  return (
    <>
      <div class="switch" role="group" aria-label={say("figures")}>
        {DAYS.map((n) => <button key={n} type="button" aria-pressed={n === days} onClick={() => setDays(n)}>{say("days_n", n)}</button>)}
      </div>
      {!value ? loaded.error ? <Failed error={loaded.error} retry={loaded.reload} /> : <div aria-busy="true" /> : known.length === 0 ? <Notice picture="good" title={say("none_of_days")} /> : (
        <div class={loaded.isOld ? "old alert-figures" : "alert-figures"}>
          <div class="scroll" tabIndex={0} role="group" aria-label={say("by_severity")}>
            <table class="numbers">
              <thead>
                <tr>{(["severity_of", "alerts", "open_ones", "st_acknowledged", "until_ack", "until_end"] as const).map((name) => <th key={name} scope="col">{say(name)}</th>)}</tr>
              </thead>
              <tbody>
                {known.map((name) => {
                  const its = value.severities[name];
                  return (
                    <tr key={name} data-severity-of={name}>
                      <th scope="row"><Severity of={name} /></th>
                      <td>{number(its.alerts)}</td>
                      <td>{number(its.open)}</td>
                      <td>{number(its.acknowledged)}</td>
                      <td>{lasting(its.seconds_to_acknowledge)}</td>
                      <td>{lasting(its.seconds_to_resolve)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
          <div class="scroll" tabIndex={0} role="group" aria-label={say("noisiest")}>
            <table class="numbers">
              <thead>
                <tr>{(["noisiest", "alerts", "open_for"] as const).map((name) => <th key={name} scope="col">{say(name)}</th>)}</tr>
              </thead>
              <tbody>
                {(value.rules as Said[]).map((one) => (
                  <tr key={one.rule} data-noisy={one.rule}>
                    <th scope="row">{one.rule}</th>
                    <td>{number(one.alerts)}</td>
                    <td>{lasting(one.open_seconds)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </div>
      )}
    </>
  );
}
